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
    o.direction = 'in' AS listens,
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
    l.card,
    l.day,
    l.cell,
    l.seconds,
    l.begun,
    (
      l.begun + later.seconds
    ) DIV NULLIF(8 * 30, 0) AS span
  FROM legs AS l
  CROSS JOIN (
    SELECT
      0 AS seconds
    UNION ALL
    SELECT
      30 AS seconds
  ) AS later
  WHERE
    l.listens
    AND (
      later.seconds = 0
      OR (
        l.begun + 30
      ) DIV NULLIF(8 * 30, 0) > l.begun DIV NULLIF(8 * 30, 0)
    )
), said AS (
  SELECT
    card,
    day,
    peer,
    cell,
    seconds,
    begun,
    begun DIV NULLIF(8 * 30, 0) AS span
  FROM legs
  WHERE
    NOT listens
), passed_on AS (
  SELECT
    h.card AS listener,
    s.card AS talker,
    h.day,
    h.begun AS heard,
    s.begun AS said,
    s.peer
  FROM heard AS h
  JOIN said AS s
    ON s.cell = h.cell AND s.span = h.span AND s.day = h.day
  WHERE
    s.begun >= h.begun
    AND s.begun <= h.begun + 30
    AND s.begun + s.seconds <= h.begun + h.seconds
    AND h.begun + h.seconds <= s.begun + s.seconds + 60
), pairs AS (
  SELECT
    listener,
    talker,
    day,
    COUNT(DISTINCT heard) AS heard,
    COUNT(DISTINCT said) AS said,
    COUNT(DISTINCT peer) AS numbers
  FROM passed_on
  GROUP BY
    listener,
    talker,
    day
), bridges AS (
  SELECT
    p.*,
    i.calls AS listener_calls,
    o.calls AS talker_calls
  FROM pairs AS p
  JOIN one_way AS i
    ON i.card = p.listener AND i.day = p.day AND i.direction = 'in'
  JOIN one_way AS o
    ON o.card = p.talker AND o.day = p.day AND o.direction = 'out'
  WHERE
    p.numbers >= 5
    AND p.heard >= 5
    AND p.heard >= 0.8 * i.calls
    AND p.said >= 0.8 * o.calls
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
