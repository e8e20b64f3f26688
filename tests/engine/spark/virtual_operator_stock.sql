SELECT
  c.card,
  CAST(CAST('2020-10-10' AS DATE) AS TIMESTAMP_NTZ) AS seen_at,
  c.opened_at,
  c.verified_at,
  c.operator
FROM cards AS c
WHERE
  COALESCE(c.kind, 'voice') = 'voice'
  AND c.opened_at < CAST('2020-10-10' AS DATE)
  AND CAST('2020-10-10' AS DATE) <= CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ)
  AND (
    c.verified_at IS NULL OR c.verified_at < CAST('2020-10-10' AS DATE)
  )
  AND COALESCE(
    c.virtual_operator,
    EXISTS(
      SELECT
        1
      FROM resale_prefixes AS p
      WHERE
        STARTSWITH(CAST(c.card AS STRING), p.prefix)
    )
  )
