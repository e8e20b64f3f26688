WITH days AS (
  SELECT
    card,
    day,
    calls_out,
    calls_in / NULLIF(calls_in + calls_out, 0) AS in_share
  FROM card_days
  WHERE
    calls_out >= 10
    AND day < CAST(CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ) AS DATE)
), strangers AS (
  SELECT
    card,
    day,
    COUNT(*) AS peers
  FROM card_peers
  WHERE
    calls_out > 0
  GROUP BY
    card,
    day
), cells AS (
  SELECT
    card,
    day,
    COUNT(DISTINCT cell) AS cells
  FROM card_places
  WHERE
    NOT cell IS NULL
  GROUP BY
    card,
    day
), hours AS (
  SELECT
    card,
    CAST(hour AS DATE) AS day,
    MAX(calls_out) AS busiest_hour
  FROM card_hours
  GROUP BY
    card,
    CAST(hour AS DATE)
), boxes AS (
  SELECT
    imei,
    COUNT(*) AS cards
  FROM card_devices
  GROUP BY
    imei
  HAVING
    COUNT(*) >= 4
), in_boxes AS (
  SELECT
    d.card,
    MAX(b.cards) AS cards_in_device
  FROM card_devices AS d
  JOIN boxes AS b
    ON b.imei = d.imei
  GROUP BY
    d.card
), signs AS (
  SELECT
    d.card,
    d.day,
    d.calls_out,
    d.in_share,
    s.peers,
    c.cells,
    h.busiest_hour,
    b.cards_in_device,
    CASE WHEN d.in_share <= 0.05 THEN 1 ELSE 0 END + CASE WHEN c.cells <= 2 THEN 1 ELSE 0 END + CASE WHEN s.peers >= 0.8 * d.calls_out THEN 1 ELSE 0 END + CASE WHEN NOT b.cards_in_device IS NULL THEN 1 ELSE 0 END + CASE WHEN h.busiest_hour >= 20 THEN 1 ELSE 0 END AS signs
  FROM days AS d
  LEFT JOIN strangers AS s
    ON s.card = d.card AND s.day = d.day
  LEFT JOIN cells AS c
    ON c.card = d.card AND c.day = d.day
  LEFT JOIN hours AS h
    ON h.card = d.card AND h.day = d.day
  LEFT JOIN in_boxes AS b
    ON b.card = d.card
)
SELECT
  card,
  CAST(day AS TIMESTAMP_NTZ) AS seen_at,
  signs,
  calls_out,
  ROUND(in_share, 3) AS in_share,
  peers,
  cells,
  busiest_hour,
  cards_in_device
FROM signs
WHERE
  signs >= 4
