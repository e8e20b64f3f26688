WITH first_uses AS (
  SELECT
    card,
    LEAST(first_call, first_message, first_data) AS first_used_at
  FROM card_life
)
SELECT
  c.card,
  c.opened_at + 30 * INTERVAL '1' DAY AS seen_at,
  c.opened_at,
  u.first_used_at
FROM cards AS c
LEFT JOIN first_uses AS u
  ON u.card = c.card
WHERE
  COALESCE(c.kind, 'voice') = 'voice'
  AND (
    c.opened_at >= CAST('2021-05-04 00:00:00' AS TIMESTAMP_NTZ)
    OR c.last_used_at <= c.opened_at
  )
  AND c.opened_at + 30 * INTERVAL '1' DAY <= CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ)
  AND (
    u.first_used_at IS NULL OR u.first_used_at >= c.opened_at + 30 * INTERVAL '1' DAY
  )
