SELECT
  card,
  since AS seen_at,
  ring,
  certainty
FROM rings
WHERE
  certainty >= 51
