WITH one_way AS (
  SELECT
    card,
    day,
    'in' AS direction,
    calls_in + calls_out AS calls
  FROM card_days
  WHERE
    day < CAST(CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ) AS DATE)
    AND calls_in >= 5
    AND calls_in >= 0.8 * (
      calls_in + calls_out
    )
  UNION ALL
  SELECT
    card,
    day,
    'out' AS direction,
    calls_in + calls_out AS calls
  FROM card_days
  WHERE
    day < CAST(CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ) AS DATE)
    AND calls_out >= 5
    AND calls_out >= 0.8 * (
      calls_in + calls_out
    )
), legs AS (
  SELECT
    o.card,
    o.day,
    o.calls,
    o.direction,
    c.peer,
    c.cell,
    c.seconds,
    CAST(FLOOR(UNIX_TIMESTAMP(c.started_at)) AS BIGINT) AS begun
  FROM calls AS c
  JOIN one_way AS o
    ON o.card = c.card
    AND o.day = CAST(c.started_at AS DATE)
    AND o.direction = c.direction
  WHERE
    NOT c.cell IS NULL AND (
      c.direction = 'out' OR c.seconds > 0
    )
), heard AS (
  SELECT
    l.*,
    CAST(FLOOR(l.begun / 30) AS BIGINT) + later.spans AS span
  FROM legs AS l
  CROSS JOIN (
    SELECT
      0 AS spans
    UNION ALL
    SELECT
      1 AS spans
  ) AS later
  WHERE
    l.direction = 'in'
), said AS (
  SELECT
    l.*,
    CAST(FLOOR(l.begun / 30) AS BIGINT) AS span
  FROM legs AS l
  WHERE
    l.direction = 'out'
), pairs AS (
  SELECT
    h.card AS listener,
    s.card AS talker,
    h.day,
    h.calls AS listener_calls,
    s.calls AS talker_calls,
    COUNT(DISTINCT h.begun) AS heard,
    COUNT(DISTINCT s.begun) AS said,
    COUNT(DISTINCT s.peer) AS numbers
  FROM heard AS h
  JOIN said AS s
    ON s.cell = h.cell AND s.span = h.span AND s.day = h.day
  WHERE
    s.begun >= h.begun
    AND s.begun <= h.begun + 30
    AND s.begun + s.seconds <= h.begun + h.seconds
    AND h.begun + h.seconds <= s.begun + s.seconds + 60
  GROUP BY
    h.card,
    s.card,
    h.day,
    h.calls,
    s.calls
), bridges AS (
  SELECT
    *
  FROM pairs
  WHERE
    numbers >= 5
    AND heard >= 5
    AND heard >= 0.8 * listener_calls
    AND said >= 0.8 * talker_calls
), phones AS (
  SELECT
    listener AS card,
    day,
    heard AS paired,
    heard / NULLIF(listener_calls, 0) AS share,
    numbers
  FROM bridges
  UNION ALL
  SELECT
    talker AS card,
    day,
    said AS paired,
    said / NULLIF(talker_calls, 0) AS share,
    numbers
  FROM bridges
)
SELECT
  card,
  CAST(day AS TIMESTAMP_NTZ) AS seen_at,
  MAX(paired) AS paired,
  ROUND(MAX(share), 3) AS share,
  MAX(numbers) AS numbers
FROM phones
GROUP BY
  card,
  day
