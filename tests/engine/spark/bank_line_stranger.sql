WITH same_day AS (
  SELECT
    holder,
    CAST(opened_at AS DATE) AS day,
    COUNT(*) AS cards_that_day
  FROM cards
  WHERE
    NOT holder IS NULL
    AND opened_at >= CAST('2021-05-04 00:00:00' AS TIMESTAMP_NTZ)
    AND COALESCE(holder_kind, 'person') = 'person'
    AND COALESCE(kind, 'voice') = 'voice'
  GROUP BY
    holder,
    CAST(opened_at AS DATE)
  HAVING
    COUNT(*) >= 2
), suspects AS (
  SELECT
    c.card,
    c.opened_at,
    s.cards_that_day
  FROM cards AS c
  JOIN same_day AS s
    ON s.holder = c.holder AND s.day = CAST(c.opened_at AS DATE)
  WHERE
    c.opened_at + 3 * INTERVAL '1' DAY <= CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ)
    AND COALESCE(c.holder_kind, 'person') = 'person'
    AND COALESCE(c.kind, 'voice') = 'voice'
), contacts AS (
  SELECT
    s.card,
    s.opened_at,
    s.cards_that_day,
    COUNT(DISTINCT CASE WHEN NOT b.number IS NULL THEN p.peer END) AS bank_lines,
    COUNT(
      DISTINCT CASE
        WHEN NOT (
          p.peer BETWEEN 0 AND 999999
          OR p.peer < -4611686018427387904
          OR p.peer BETWEEN 1060000 AND 1069999
          OR p.peer BETWEEN 10600000 AND 10699999
          OR p.peer BETWEEN 106000000 AND 106999999
          OR p.peer BETWEEN 1060000000 AND 1069999999
          OR p.peer BETWEEN 10600000000 AND 10699999999
          OR p.peer BETWEEN 106000000000 AND 106999999999
          OR p.peer BETWEEN 1060000000000 AND 1069999999999
          OR p.peer BETWEEN 10600000000000 AND 10699999999999
          OR p.peer BETWEEN 106000000000000 AND 106999999999999
          OR p.peer BETWEEN 1060000000000000 AND 1069999999999999
          OR p.peer BETWEEN 10600000000000000 AND 10699999999999999
          OR p.peer BETWEEN 106000000000000000 AND 106999999999999999
        )
        THEN p.peer
      END
    ) AS people
  FROM suspects AS s
  JOIN card_peers AS p
    ON p.card = s.card AND p.day <= CAST(s.opened_at AS DATE) + 3 * INTERVAL '1' DAY
  LEFT JOIN bank_hotlines AS b
    ON p.peer = b.number
  GROUP BY
    s.card,
    s.opened_at,
    s.cards_that_day
)
SELECT
  card,
  opened_at + 3 * INTERVAL '1' DAY AS seen_at,
  cards_that_day,
  bank_lines,
  people
FROM contacts
WHERE
  bank_lines > 0 AND people <= 0
