WITH days AS (
  SELECT
    p.card,
    COALESCE(a.title, a.city) AS area,
    a.authority,
    p.day,
    MIN(p.first_seen) AS first_seen
  FROM card_places AS p
  JOIN high_risk_areas AS a
    ON STARTSWITH(p.city, a.city) AND p.day BETWEEN a.since AND a.until
  JOIN cards AS c
    ON c.card = p.card
  WHERE
    COALESCE(c.kind, 'voice') = 'voice'
    AND NOT c.home_city IS NULL
    AND NOT STARTSWITH(c.home_city, a.city)
  GROUP BY
    p.card,
    COALESCE(a.title, a.city),
    a.authority,
    p.day
), in_order AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY card, area, authority ORDER BY day NULLS LAST) AS place,
    COUNT(*) OVER (PARTITION BY card, area, authority) AS days_seen
  FROM days
)
SELECT
  card,
  first_seen AS seen_at,
  area,
  authority,
  days_seen
FROM in_order
WHERE
  place = 1
