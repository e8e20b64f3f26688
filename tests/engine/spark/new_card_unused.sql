WITH first_uses AS (
  SELECT
    card,
    LEAST(first_call, first_message, first_data) AS first_used_at
  FROM card_life
)
SELECT
  c.card,
  CAST(c.opened_at AS TIMESTAMP_NTZ) + 12 * INTERVAL '1' HOUR AS seen_at,
  c.opened_at,
  u.first_used_at
FROM cards AS c
LEFT JOIN first_uses AS u
  ON u.card = c.card
WHERE
  COALESCE(c.kind, 'voice') = 'voice'
  AND c.opened_at >= CAST('2021-05-04 00:00:00' AS TIMESTAMP_NTZ)
  AND CAST(c.opened_at AS TIMESTAMP_NTZ) + 12 * INTERVAL '1' HOUR <= CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ)
  AND (
    u.first_used_at IS NULL
    OR u.first_used_at > CAST(c.opened_at AS TIMESTAMP_NTZ) + 12 * INTERVAL '1' HOUR
  )
