WITH lives AS (
  SELECT
    c.card,
    CASE WHEN c.last_used_at > c.opened_at THEN c.last_used_at END AS used_before,
    LEAST(l.first_call, l.first_message, l.first_data) AS first_use,
    GREATEST(l.last_call, l.last_message, l.last_data) AS last_use
  FROM cards AS c
  LEFT JOIN card_life AS l
    ON l.card = c.card
  WHERE
    COALESCE(c.kind, 'voice') = 'voice'
), suspects AS (
  SELECT
    *
  FROM lives
  WHERE
    COALESCE(first_use, CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ)) >= used_before + 90 * INTERVAL '1' DAY
    OR CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ) >= last_use + 90 * INTERVAL '1' DAY
    OR last_use >= first_use + 90 * INTERVAL '1' DAY
), begins AS (
  SELECT
    d.card,
    MIN(d.day) AS first_day
  FROM card_days AS d
  JOIN suspects AS s
    ON s.card = d.card
  GROUP BY
    d.card
), uses AS (
  SELECT
    s.card,
    s.used_before AS used_at
  FROM suspects AS s
  LEFT JOIN begins AS b
    ON b.card = s.card
  WHERE
    NOT s.used_before IS NULL
    AND (
      s.first_use IS NULL OR CAST(s.first_use AS DATE) >= b.first_day
    )
  UNION ALL
  SELECT
    s.card,
    s.first_use
  FROM suspects AS s
  JOIN begins AS b
    ON b.card = s.card
  WHERE
    CAST(s.first_use AS DATE) >= b.first_day
  UNION ALL
  SELECT
    d.card,
    GREATEST(d.last_call, d.last_message, d.last_data)
  FROM card_days AS d
  JOIN suspects AS s
    ON s.card = d.card
  WHERE
    NOT GREATEST(d.last_call, d.last_message, d.last_data) IS NULL
), gaps AS (
  SELECT
    card,
    used_at,
    LEAD(used_at) OVER (PARTITION BY card ORDER BY used_at NULLS LAST) AS next_use
  FROM uses
)
SELECT
  card,
  used_at + 90 * INTERVAL '1' DAY AS seen_at,
  used_at AS last_used_at,
  next_use AS woken_at
FROM gaps
WHERE
  COALESCE(next_use, CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ)) >= used_at + 90 * INTERVAL '1' DAY
