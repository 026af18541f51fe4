//! Sums by event, out of sums by event, country and age: the same statement whether they come from
//! notes, from the signals themselves or from what is kept of a dropped month.

/// Each measure between two texts.
macro_rules! once {
    ($a:literal, $b:literal) => {
        concat!(
            $a,
            "impressions",
            $b,
            $a,
            "dwell_ms",
            $b,
            $a,
            "dwelled",
            $b,
            $a,
            "ticket_views",
            $b,
            $a,
            "checkouts",
            $b,
            $a,
            "purchases",
            $b,
            $a,
            "post_views",
            $b,
            $a,
            "watch",
            $b,
            $a,
            "watched",
            $b,
            $a,
            "mentions",
            $b,
            $a,
            "sentiment",
            $b,
            $a,
            "texts",
            $b
        )
    };
}

/// Each measure two times, among three texts.
macro_rules! twice {
    ($a:literal, $b:literal, $c:literal) => {
        concat!(
            $a,
            "impressions",
            $b,
            "impressions",
            $c,
            $a,
            "dwell_ms",
            $b,
            "dwell_ms",
            $c,
            $a,
            "dwelled",
            $b,
            "dwelled",
            $c,
            $a,
            "ticket_views",
            $b,
            "ticket_views",
            $c,
            $a,
            "checkouts",
            $b,
            "checkouts",
            $c,
            $a,
            "purchases",
            $b,
            "purchases",
            $c,
            $a,
            "post_views",
            $b,
            "post_views",
            $c,
            $a,
            "watch",
            $b,
            "watch",
            $c,
            $a,
            "watched",
            $b,
            "watched",
            $c,
            $a,
            "mentions",
            $b,
            "mentions",
            $c,
            $a,
            "sentiment",
            $b,
            "sentiment",
            $c,
            $a,
            "texts",
            $b,
            "texts",
            $c
        )
    };
}

/// A cell that says of a key how often it was counted, and nothing else.
macro_rules! no_measures {
    () => {
        "NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric,
         NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric"
    };
}

/// The cells of rows that were folded before: `$rows` is a table with its condition.
macro_rules! unfolded {
    ($table:literal, $condition:literal) => {
        concat!(
            "SELECT t.event_id, NULL::text AS country, NULL::text AS age_bucket, NULL::numeric AS counted",
            once!(", t.", ""),
            " FROM ", $table, " t WHERE ", $condition,
            " UNION ALL SELECT t.event_id, c.key, NULL, c.value::numeric, ", no_measures!(),
            " FROM ", $table, " t, pg_catalog.jsonb_each_text(t.countries) c WHERE ", $condition,
            " UNION ALL SELECT t.event_id, NULL, a.key, a.value::numeric, ", no_measures!(),
            " FROM ", $table, " t, pg_catalog.jsonb_each_text(t.ages) a WHERE ", $condition
        )
    };
}

/// The second half: goes on from a WITH that has `keyed`, sums by event (`g` 3), by event and country
/// (1) and by event and age (2). Its rows are `folded`.
macro_rules! folded_keys {
    () => {
        concat!(
            ", folded AS (
               SELECT event_id, ",
            twice!("coalesce(pg_catalog.max(", ") FILTER (WHERE g = 3), 0) AS ", ", "),
            "coalesce(pg_catalog.jsonb_object_agg(country, counted)
                        FILTER (WHERE g = 1 AND country IS NOT NULL AND counted <> 0), '{}') AS countries,
                      coalesce(pg_catalog.jsonb_object_agg(age_bucket, counted)
                        FILTER (WHERE g = 2 AND age_bucket IS NOT NULL AND counted <> 0), '{}') AS ages
                 FROM keyed GROUP BY event_id)"
        )
    };
}

/// Goes on from a WITH that has `cells`: columns as of [`unfolded`], read once.
macro_rules! folded {
    () => {
        concat!(
            ", keyed AS (
               SELECT event_id, country, age_bucket, GROUPING(country, age_bucket) AS g, ",
            twice!("pg_catalog.sum(", ") AS ", ", "),
            "pg_catalog.sum(counted) AS counted
                 FROM cells GROUP BY GROUPING SETS ((event_id), (event_id, country), (event_id, age_bucket)))",
            folded_keys!()
        )
    };
}

/// Goes on from a WITH that has `measured` (sums of events) and `keys` (what was counted of countries
/// and ages): few rows with many columns and many with few.
macro_rules! folded_apart {
    () => {
        concat!(
            ", keyed AS (
               SELECT event_id, NULL::text AS country, NULL::text AS age_bucket, 3 AS g, ",
            twice!("pg_catalog.sum(", ") AS ", ", "),
            "NULL::numeric AS counted
                 FROM measured GROUP BY event_id
               UNION ALL
               SELECT event_id, country, age_bucket, GROUPING(country, age_bucket), ",
            no_measures!(),
            ", pg_catalog.sum(counted)
                 FROM keys GROUP BY GROUPING SETS ((event_id, country), (event_id, age_bucket)))",
            folded_keys!()
        )
    };
}

/// Puts `folded`, as far as the join lets it, in the place of what there was.
macro_rules! keep_totals {
    ($join:literal) => {
        concat!(
            "INSERT INTO convene.event_signal_totals AS t (event_id, ",
            once!("", ", "),
            "countries, ages)
             SELECT f.event_id, ",
            once!("f.", ", "),
            "f.countries, f.ages FROM folded f ",
            $join,
            "
             ON CONFLICT (event_id) DO UPDATE SET ",
            twice!("", " = excluded.", ", "),
            "countries = excluded.countries, ages = excluded.ages, computed_at = pg_catalog.now()"
        )
    };
}

pub(super) use {
    folded, folded_apart, folded_keys, keep_totals, no_measures, once, twice, unfolded,
};
