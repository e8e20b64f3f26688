WITH weeks AS (
  SELECT
    card,
    day,
    calls_out,
    SUM(calls_in) OVER week AS calls_in,
    SUM(messages_out) OVER week AS sent
  FROM card_days
  WHERE
    card IN (
      /* what holds for the week holds for its last day */
      SELECT
        card
      FROM card_days
      WHERE
        calls_out >= 8 AND calls_in <= 0 AND messages_out <= 0
    )
  WINDOW week AS (
    PARTITION BY card
    ORDER BY DATEDIFF(day, CAST('1970-01-01' AS DATE)) NULLS LAST
    RANGE BETWEEN 6 PRECEDING AND CURRENT ROW
  )
), found AS (
  SELECT
    w.card,
    w.day,
    w.calls_out,
    w.calls_in,
    w.sent
  FROM weeks AS w
  LEFT JOIN cards AS c
    ON c.card = w.card
  WHERE
    w.calls_out >= 8
    AND w.calls_in <= 0
    AND w.sent <= 0
    AND w.day < CAST(CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ) AS DATE)
    AND COALESCE(c.kind, 'voice') = 'voice'
)
SELECT
  card,
  CAST(day AS TIMESTAMP_NTZ) AS seen_at,
  calls_out,
  CAST(calls_in AS BIGINT) AS calls_in,
  CAST(sent AS BIGINT) AS sent
FROM found
