SELECT
  h.card,
  h.hour AS seen_at,
  h.calls_out,
  h.answered_out
FROM card_hours AS h
LEFT JOIN cards AS c
  ON c.card = h.card
WHERE
  h.calls_out > 60 AND COALESCE(c.kind, 'voice') = 'voice'
