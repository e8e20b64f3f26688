WITH days AS (
  SELECT
    p.card,
    COALESCE(a.title, a.city) AS place_name,
    a.authority,
    p.day,
    MIN(p.first_seen) AS first_seen
  FROM card_places AS p
  JOIN fraud_prone_places AS a
    ON STARTSWITH(p.city, a.city) AND p.day BETWEEN a.since AND a.until
  LEFT JOIN cards AS c
    ON c.card = p.card
  WHERE
    COALESCE(c.kind, 'voice') = 'voice'
  GROUP BY
    p.card,
    COALESCE(a.title, a.city),
    a.authority,
    p.day
), in_order AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY card, place_name, authority ORDER BY day NULLS LAST) AS place,
    COUNT(*) OVER (PARTITION BY card, place_name, authority) AS days_seen
  FROM days
)
SELECT
  card,
  first_seen AS seen_at,
  place_name,
  authority,
  days_seen
FROM in_order
WHERE
  place = 1
