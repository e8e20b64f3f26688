WITH machines AS (
  SELECT
    card,
    bound_imei
  FROM cards
  WHERE
    kind = 'iot'
), days AS (
  SELECT
    d.card,
    d.day,
    d.calls_out + d.calls_in + d.messages_out AS voice,
    d.bytes,
    SUM(d.calls_out + d.calls_in + d.messages_out) OVER w AS voice_so_far,
    SUM(d.bytes) OVER (
      PARTITION BY d.card, CAST(DATE_TRUNC('MONTH', d.day) AS TIMESTAMP_NTZ)
      ORDER BY d.day NULLS LAST
    ) AS bytes_of_month
  FROM card_days AS d
  JOIN machines AS m
    ON m.card = d.card
  WINDOW w AS (PARTITION BY d.card ORDER BY d.day NULLS LAST)
), elsewhere AS (
  SELECT
    d.card,
    MIN(d.first_seen) AS first_seen,
    SUM(d.events) AS events
  FROM card_devices AS d
  JOIN machines AS m
    ON m.card = d.card
  WHERE
    NOT m.bound_imei IS NULL AND d.imei <> m.bound_imei
  GROUP BY
    d.card
), signs AS (
  SELECT
    card,
    MIN(CASE WHEN voice_so_far > 0 THEN CAST(day AS TIMESTAMP_NTZ) END) AS voice_at,
    MIN(CASE WHEN bytes_of_month / 1000000 > 100 THEN CAST(day AS TIMESTAMP_NTZ) END) AS data_at,
    SUM(voice) AS voice,
    MAX(bytes_of_month) / 1000000 AS mb
  FROM days
  GROUP BY
    card
)
SELECT
  m.card,
  LEAST(s.voice_at, s.data_at, CASE WHEN e.events > 0 THEN e.first_seen END) AS seen_at,
  COALESCE(s.voice, 0) AS voice,
  CAST(ROUND(COALESCE(s.mb, 0)) AS BIGINT) AS mb,
  COALESCE(e.events, 0) AS other_device
FROM machines AS m
LEFT JOIN signs AS s
  ON s.card = m.card
LEFT JOIN elsewhere AS e
  ON e.card = m.card
WHERE
  NOT s.voice_at IS NULL OR NOT s.data_at IS NULL OR COALESCE(e.events, 0) > 0
