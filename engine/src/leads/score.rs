//! The lead score: engagement, fit and intent, whole points that add up.

use crate::error::{Error, Result};

/// Most points for engagement.
pub const MOST_ENGAGEMENT: i64 = 40;
/// Most points for fit; also the fit of a sponsor that has described no ideal customer.
pub const MOST_FIT: i64 = 30;
/// Most points for intent.
pub const MOST_INTENT: i64 = 30;

const PER_BOOTH_VISIT: i64 = 10;
const PER_DOWNLOAD: i64 = 5;
const PER_SESSION: i64 = 3;
const PER_MESSAGE: i64 = 2;
const FOR_MEETING: i64 = 10;
const PER_INTERACTION: i64 = 3;

/// Scores from which the grades A, B and C begin.
const GRADES_FROM: [(i64, Grade); 3] = [(80, Grade::A), (60, Grade::B), (40, Grade::C)];

/// What happened between an attendee and a sponsor, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Visits to the booth.
    pub booth_visits: i64,
    /// Documents taken.
    pub content_downloads: i64,
    /// Sessions of the sponsor attended.
    pub session_attendance: i64,
    /// Messages in either direction.
    pub messages_exchanged: i64,
    /// Whether a meeting was asked for.
    pub meeting_requested: bool,
    /// Contacts of every kind.
    pub interaction_count: i64,
}

/// A kind of contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody came to the booth.
    BoothVisit,
    /// Somebody let the sponsor scan their badge.
    BadgeScan,
    /// Somebody took a document.
    ContentDownload,
    /// Somebody came to a session of the sponsor.
    SessionAttendance,
    /// A message in either direction.
    Message,
    /// Somebody asked for a meeting.
    MeetingRequest,
    /// Anything else.
    Other,
}

impl Kind {
    const NAMED: [(&'static str, Self); 7] = [
        ("booth_visit", Self::BoothVisit),
        ("badge_scan", Self::BadgeScan),
        ("content_download", Self::ContentDownload),
        ("session_attendance", Self::SessionAttendance),
        ("message", Self::Message),
        ("meeting_request", Self::MeetingRequest),
        ("other", Self::Other),
    ];

    /// The kind of that name.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is none.
    pub fn parse(name: &str) -> Result<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind).ok_or_else(
            || {
                let known: Vec<&str> = Self::NAMED.iter().map(|(name, _)| *name).collect();
                Error::invalid(
                    format!("p_kind {name:?} is not known"),
                    "",
                    format!("Pass one of {}.", known.join(", ")),
                )
            },
        )
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, kind)| *kind == self).map_or("other", |(name, _)| *name)
    }
}

impl Counters {
    /// The counters after one more contact; a scan and what has no counter of its own count as
    /// contacts only.
    #[must_use]
    pub fn after(&self, kind: Kind) -> Self {
        let mut after = *self;
        after.interaction_count += 1;
        match kind {
            Kind::BoothVisit => after.booth_visits += 1,
            Kind::ContentDownload => after.content_downloads += 1,
            Kind::SessionAttendance => after.session_attendance += 1,
            Kind::Message => after.messages_exchanged += 1,
            Kind::MeetingRequest => after.meeting_requested = true,
            Kind::BadgeScan | Kind::Other => {}
        }
        after
    }

    /// Points before the cap, by counter, in the order of the table.
    #[must_use]
    pub fn points(&self) -> [(&'static str, i64); 5] {
        [
            ("booth_visits", PER_BOOTH_VISIT.saturating_mul(self.booth_visits)),
            ("content_downloads", PER_DOWNLOAD.saturating_mul(self.content_downloads)),
            ("session_attendance", PER_SESSION.saturating_mul(self.session_attendance)),
            ("messages_exchanged", PER_MESSAGE.saturating_mul(self.messages_exchanged)),
            ("meeting_requested", if self.meeting_requested { FOR_MEETING } else { 0 }),
        ]
    }

    /// That no counter is below zero.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the first that is.
    pub fn check(&self) -> Result<()> {
        let named = [
            ("booth_visits", self.booth_visits),
            ("content_downloads", self.content_downloads),
            ("session_attendance", self.session_attendance),
            ("messages_exchanged", self.messages_exchanged),
            ("interaction_count", self.interaction_count),
        ];
        match named.into_iter().find(|(_, count)| *count < 0) {
            None => Ok(()),
            Some((name, count)) => Err(Error::invalid(
                format!("{name} must not be negative, but is {count}"),
                "It counts what happened.",
                "Pass 0 or more; null counts as 0.",
            )),
        }
    }
}

/// Points for engagement: `least(40, 10 visits + 5 downloads + 3 sessions + 2 messages + 10 if a
/// meeting was asked for)`.
#[must_use]
pub fn engagement(counters: &Counters) -> i64 {
    let sum = counters.points().iter().fold(0i64, |sum, (_, points)| sum.saturating_add(*points));
    sum.min(MOST_ENGAGEMENT)
}

/// Points for intent: `least(30, 3 x interactions)`.
#[must_use]
pub fn intent(interaction_count: i64) -> i64 {
    PER_INTERACTION.saturating_mul(interaction_count).min(MOST_INTENT)
}

/// The three parts of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scores {
    /// 0 to 40.
    pub engagement: i64,
    /// 0 to 30.
    pub fit: i64,
    /// 0 to 30.
    pub intent: i64,
}

impl Scores {
    /// Their sum, 0 to 100.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.engagement + self.fit + self.intent
    }
}

/// The parts for these counters and a fit of 0 to 30. Who never met the sponsor is no lead, however
/// well they fit: all parts are 0.
#[must_use]
pub fn scores(counters: &Counters, fit: i64) -> Scores {
    let engagement = engagement(counters);
    let intent = intent(counters.interaction_count);
    let met = engagement + intent > 0;
    Scores { engagement, fit: if met { fit.clamp(0, MOST_FIT) } else { 0 }, intent }
}

/// A from 80, B from 60, C from 40, else D.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// 80 to 100.
    A,
    /// 60 to 79.
    B,
    /// 40 to 59.
    C,
    /// Below 40.
    D,
}

impl Grade {
    /// The grade of a score.
    #[must_use]
    pub fn of(score: i64) -> Self {
        GRADES_FROM.into_iter().find(|(from, _)| score >= *from).map_or(Self::D, |(_, grade)| grade)
    }

    /// Its letter.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counters(counts: [i64; 4], meeting_requested: bool, interaction_count: i64) -> Counters {
        let [booth_visits, content_downloads, session_attendance, messages_exchanged] = counts;
        Counters {
            booth_visits,
            content_downloads,
            session_attendance,
            messages_exchanged,
            meeting_requested,
            interaction_count,
        }
    }

    #[test]
    fn each_counter_has_its_points() {
        assert_eq!(engagement(&counters([1, 0, 0, 0], false, 0)), 10);
        assert_eq!(engagement(&counters([0, 1, 0, 0], false, 0)), 5);
        assert_eq!(engagement(&counters([0, 0, 1, 0], false, 0)), 3);
        assert_eq!(engagement(&counters([0, 0, 0, 1], false, 0)), 2);
        assert_eq!(engagement(&counters([0, 0, 0, 0], true, 0)), 10);
        assert_eq!(engagement(&counters([1, 1, 1, 1], true, 0)), 30);
    }

    #[test]
    fn each_kind_has_its_counter() {
        let after = |kind| Counters::default().after(Kind::parse(kind).unwrap());
        assert_eq!(after("booth_visit"), counters([1, 0, 0, 0], false, 1));
        assert_eq!(after("content_download"), counters([0, 1, 0, 0], false, 1));
        assert_eq!(after("session_attendance"), counters([0, 0, 1, 0], false, 1));
        assert_eq!(after("message"), counters([0, 0, 0, 1], false, 1));
        assert_eq!(after("meeting_request"), counters([0; 4], true, 1));
        assert_eq!(after("badge_scan"), counters([0; 4], false, 1));
        assert_eq!(after("other"), counters([0; 4], false, 1));
        assert_eq!(Kind::parse("Visit").unwrap_err().sqlstate(), "22023");
        assert!(Kind::NAMED.iter().all(|(name, kind)| kind.name() == *name));
    }

    #[test]
    fn parts_are_capped() {
        assert_eq!(engagement(&counters([4, 0, 0, 0], false, 0)), 40);
        assert_eq!(engagement(&counters([3, 2, 0, 0], true, 0)), 40);
        assert_eq!(engagement(&counters([i64::MAX; 4], true, 0)), 40);
        assert_eq!([intent(0), intent(1), intent(9), intent(10), intent(11)], [0, 3, 27, 30, 30]);
        assert_eq!(intent(i64::MAX), 30);
    }

    #[test]
    fn who_never_came_is_no_lead() {
        assert_eq!(scores(&Counters::default(), MOST_FIT).total(), 0);
        assert_eq!(scores(&counters([0; 4], false, 1), MOST_FIT).total(), 33);
        assert_eq!(scores(&counters([0; 4], true, 0), 0).total(), 10);
    }

    #[test]
    fn grades_begin_where_they_should() {
        let letters: String =
            [0, 39, 40, 59, 60, 79, 80, 100].map(|score| Grade::of(score).letter()).concat();
        assert_eq!(letters, "DDCCBBAA");
    }

    #[test]
    fn negative_counters_are_named() {
        let error = counters([0, -2, 0, 0], false, 0).check().unwrap_err();
        assert_eq!(error.sqlstate(), "22023");
        assert!(
            error.to_string().contains("content_downloads") && error.to_string().contains("-2")
        );
    }

    proptest! {
        #[test]
        fn parts_stay_in_range_and_more_contact_never_hurts(
            counts in prop::array::uniform4(0i64..2_147_483_648), meeting: bool,
            interactions in 0i64..2_147_483_648, fit in 0i64..=30, which in 0usize..4,
        ) {
            let before = scores(&counters(counts, meeting, interactions), fit);
            prop_assert!((0..=40).contains(&before.engagement));
            prop_assert!((0..=30).contains(&before.fit) && (0..=30).contains(&before.intent));
            prop_assert!((0..=100).contains(&before.total()));
            let mut more = counts;
            more[which] += 1;
            let after = scores(&counters(more, meeting, interactions + 1), fit);
            prop_assert!(after.total() >= before.total());
        }
    }
}
