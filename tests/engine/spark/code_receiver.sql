WITH quiet AS (
  SELECT
    card,
    day,
    codes_in,
    SUM(calls_out + calls_in + messages_out) OVER week AS spoken,
    SUM(bytes) OVER week AS bytes
  FROM card_days
  WHERE
    card IN (
      /* what holds for the week holds for its last day */
      SELECT
        card
      FROM card_days
      WHERE
        codes_in >= 6 AND calls_out + calls_in + messages_out <= 1
    )
  WINDOW week AS (
    PARTITION BY card
    ORDER BY DATEDIFF(day, CAST('1970-01-01' AS DATE)) NULLS LAST
    RANGE BETWEEN 6 PRECEDING AND CURRENT ROW
  )
), platforms AS (
  SELECT
    card,
    day,
    COUNT(*) AS platforms
  FROM card_peers
  WHERE
    messages_in > 0
    AND (
      peer BETWEEN 0 AND 999999
      OR peer < -4611686018427387904
      OR peer BETWEEN 1060000 AND 1069999
      OR peer BETWEEN 10600000 AND 10699999
      OR peer BETWEEN 106000000 AND 106999999
      OR peer BETWEEN 1060000000 AND 1069999999
      OR peer BETWEEN 10600000000 AND 10699999999
      OR peer BETWEEN 106000000000 AND 106999999999
      OR peer BETWEEN 1060000000000 AND 1069999999999
      OR peer BETWEEN 10600000000000 AND 10699999999999
      OR peer BETWEEN 106000000000000 AND 106999999999999
      OR peer BETWEEN 1060000000000000 AND 1069999999999999
      OR peer BETWEEN 10600000000000000 AND 10699999999999999
      OR peer BETWEEN 106000000000000000 AND 106999999999999999
    )
  GROUP BY
    card,
    day
  HAVING
    COUNT(*) >= 6
)
SELECT
  p.card,
  CAST(p.day AS TIMESTAMP_NTZ) AS seen_at,
  p.platforms,
  q.codes_in,
  CAST(q.spoken AS BIGINT) AS spoken
FROM platforms AS p
JOIN quiet AS q
  ON q.card = p.card AND q.day = p.day
WHERE
  q.spoken <= 1
  AND q.bytes / 1000000 <= 100
  AND p.day < CAST(CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ) AS DATE)
