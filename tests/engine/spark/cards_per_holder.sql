WITH many AS (
  SELECT
    holder
  FROM cards
  WHERE
    NOT holder IS NULL AND COALESCE(holder_kind, 'person') = 'person'
  GROUP BY
    holder
  HAVING
    COUNT(*) >= LEAST(5, 10)
), numbered AS (
  SELECT
    c.card,
    c.holder,
    COALESCE(c.operator, '') AS operator,
    COALESCE(c.opened_at, CAST('2021-05-04 00:00:00' AS TIMESTAMP_NTZ)) AS opened_at,
    COUNT(*) OVER (PARTITION BY c.holder, c.operator) AS cards_here,
    COUNT(*) OVER (PARTITION BY c.holder) AS cards_in_all,
    ROW_NUMBER() OVER (
      PARTITION BY c.holder, c.operator
      ORDER BY c.opened_at NULLS LAST, c.card NULLS LAST
    ) AS place_here,
    ROW_NUMBER() OVER (PARTITION BY c.holder ORDER BY c.opened_at NULLS LAST, c.card NULLS LAST) AS place
  FROM cards AS c
  JOIN many AS m
    ON m.holder = c.holder
  WHERE
    COALESCE(c.holder_kind, 'person') = 'person'
), reached AS (
  SELECT
    card,
    holder,
    opened_at,
    cards_here,
    cards_in_all,
    LEAST(
      MIN(CASE WHEN place_here = 5 THEN opened_at END) OVER (PARTITION BY holder, operator),
      MIN(CASE WHEN place = 10 THEN opened_at END) OVER (PARTITION BY holder)
    ) AS reached_at
  FROM numbered
)
SELECT
  card,
  GREATEST(reached_at, opened_at) AS seen_at,
  cards_here,
  cards_in_all
FROM reached
WHERE
  cards_here >= 5 OR cards_in_all >= 10
