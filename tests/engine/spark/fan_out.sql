WITH days AS (
  SELECT
    card,
    day,
    COUNT(*) AS peers,
    CAST(SUM(calls_out) AS BIGINT) AS calls,
    SUM(answered_out) / NULLIF(SUM(answered_out + unanswered_out), 0) AS answer_rate
  FROM card_peers
  WHERE
    calls_out > 0
    AND day < CAST(CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ) AS DATE)
  GROUP BY
    card,
    day
  HAVING
    COUNT(*) >= 50 AND SUM(answered_out + unanswered_out) > 0
)
SELECT
  d.card,
  CAST(d.day AS TIMESTAMP_NTZ) AS seen_at,
  d.peers,
  d.calls,
  ROUND(d.answer_rate, 3) AS answer_rate
FROM days AS d
LEFT JOIN cards AS c
  ON c.card = d.card
WHERE
  d.answer_rate <= 0.4 AND COALESCE(c.kind, 'voice') = 'voice'
