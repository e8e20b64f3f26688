WITH weeks AS (
  SELECT
    card,
    day,
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
  SELECT
    s.card,
    s.day,
    p.peer,
    SUM(p.calls_out) AS called,
    SUM(p.calls_in) AS called_back
  FROM suspects AS s
  JOIN card_peers AS p
    ON p.card = s.card AND p.day BETWEEN s.day - INTERVAL '6' DAYS AND s.day
  GROUP BY
    s.card,
    s.day,
    p.peer
), circles AS (
  SELECT
    card,
    day,
    COUNT(*) AS peers,
    SUM(CASE WHEN called_back > 0 THEN 1 ELSE 0 END) AS peers_back
  FROM contacts
  WHERE
    called > 0
  GROUP BY
    card,
    day
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
