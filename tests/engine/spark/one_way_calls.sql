WITH weeks AS (
  SELECT
    card,
    day,
    CAST(day - INTERVAL '6' DAYS AS DATE) AS first_day,
    SUM(calls_out) OVER week AS calls_out,
    SUM(answered_out) OVER week AS answered,
    SUM(answered_out + unanswered_out) OVER week AS known
  FROM card_days
  WHERE
    card IN (
      SELECT
        card
      FROM card_peers
      WHERE
        calls_out > 0
    )
  WINDOW week AS (
    PARTITION BY card
    ORDER BY DATEDIFF(day, CAST('1970-01-01' AS DATE)) NULLS LAST
    RANGE BETWEEN 6 PRECEDING AND CURRENT ROW
  )
), suspects AS (
  SELECT
    w.*
  FROM weeks AS w
  LEFT JOIN cards AS c
    ON c.card = w.card
  WHERE
    calls_out >= 20
    AND known > 0
    AND answered <= 0.5 * known
    AND w.day < CAST(CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ) AS DATE)
    AND COALESCE(c.kind, 'voice') = 'voice'
), contacts AS (
  /* a card and a number from a day with traffic between them on, until the next such day: pairing each week */
  /* with all its days would make several rows of a number */
  SELECT
    card,
    peer,
    day AS since,
    LEAD(day) OVER days AS until,
    MAX(CASE WHEN calls_out > 0 THEN day END) OVER days AS called_on,
    MAX(CASE WHEN calls_in > 0 THEN day END) OVER days AS called_back_on
  FROM card_peers
  WHERE
    card IN (
      SELECT
        card
      FROM suspects
    )
  WINDOW days AS (PARTITION BY card, peer ORDER BY day NULLS LAST)
), circles AS (
  SELECT
    s.card,
    s.day,
    COUNT(*) AS peers,
    SUM(CASE WHEN p.called_back_on >= s.first_day THEN 1 ELSE 0 END) AS peers_back
  FROM suspects AS s
  JOIN contacts AS p
    ON p.card = s.card AND p.since <= s.day AND (
      p.until IS NULL OR s.day < p.until
    )
  WHERE
    p.called_on >= s.first_day
  GROUP BY
    s.card,
    s.day
), found AS (
  SELECT
    s.card,
    s.day,
    s.calls_out,
    c.peers,
    c.peers_back,
    s.answered / NULLIF(s.known, 0) AS answer_rate
  FROM suspects AS s
  JOIN circles AS c
    ON c.card = s.card AND c.day = s.day
  WHERE
    c.peers >= 10 AND c.peers_back <= 0.1 * c.peers
)
SELECT
  card,
  CAST(day AS TIMESTAMP_NTZ) AS seen_at,
  CAST(calls_out AS BIGINT) AS calls_out,
  peers,
  CAST(peers_back AS BIGINT) AS peers_back,
  ROUND(answer_rate, 3) AS answer_rate
FROM found
