//! Cities and states as people write them.

use super::words::normalised;

/// How far two markets are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separation {
    /// Different states.
    States,
    /// One state, and not known to be one city.
    Cities,
    /// One city.
    None,
    /// A state is unknown.
    Unknown,
}

impl Separation {
    /// From state and city of both, as codes: equal codes are equal places, 0 is unknown.
    #[must_use]
    #[inline]
    pub(super) fn of(states: (u32, u32), cities: (u32, u32)) -> Self {
        if states.0 == 0 || states.1 == 0 {
            Self::Unknown
        } else if states.0 != states.1 {
            Self::States
        } else if cities.0 != 0 && cities.0 == cities.1 {
            Self::None
        } else {
            Self::Cities
        }
    }
}

/// Codes and names of the states and territories of the United States and of the provinces and
/// territories of Canada, as [`normalised`] leaves them. No code means two of them.
const STATES: [(&str, &str); 72] = [
    ("al", "alabama"),
    ("ak", "alaska"),
    ("az", "arizona"),
    ("ar", "arkansas"),
    ("ca", "california"),
    ("co", "colorado"),
    ("ct", "connecticut"),
    ("de", "delaware"),
    ("dc", "districtofcolumbia"),
    ("dc", "washingtondc"),
    ("fl", "florida"),
    ("ga", "georgia"),
    ("hi", "hawaii"),
    ("id", "idaho"),
    ("il", "illinois"),
    ("in", "indiana"),
    ("ia", "iowa"),
    ("ks", "kansas"),
    ("ky", "kentucky"),
    ("la", "louisiana"),
    ("me", "maine"),
    ("md", "maryland"),
    ("ma", "massachusetts"),
    ("mi", "michigan"),
    ("mn", "minnesota"),
    ("ms", "mississippi"),
    ("mo", "missouri"),
    ("mt", "montana"),
    ("ne", "nebraska"),
    ("nv", "nevada"),
    ("nh", "newhampshire"),
    ("nj", "newjersey"),
    ("nm", "newmexico"),
    ("ny", "newyork"),
    ("nc", "northcarolina"),
    ("nd", "northdakota"),
    ("oh", "ohio"),
    ("ok", "oklahoma"),
    ("or", "oregon"),
    ("pa", "pennsylvania"),
    ("ri", "rhodeisland"),
    ("sc", "southcarolina"),
    ("sd", "southdakota"),
    ("tn", "tennessee"),
    ("tx", "texas"),
    ("ut", "utah"),
    ("vt", "vermont"),
    ("va", "virginia"),
    ("wa", "washington"),
    ("wv", "westvirginia"),
    ("wi", "wisconsin"),
    ("wy", "wyoming"),
    ("pr", "puertorico"),
    ("gu", "guam"),
    ("vi", "virginislands"),
    ("vi", "usvirginislands"),
    ("as", "americansamoa"),
    ("mp", "northernmarianaislands"),
    ("ab", "alberta"),
    ("bc", "britishcolumbia"),
    ("mb", "manitoba"),
    ("nb", "newbrunswick"),
    ("nl", "newfoundlandandlabrador"),
    ("nl", "newfoundland"),
    ("ns", "novascotia"),
    ("nt", "northwestterritories"),
    ("nu", "nunavut"),
    ("on", "ontario"),
    ("pe", "princeedwardisland"),
    ("qc", "quebec"),
    ("qc", "québec"),
    ("sk", "saskatchewan"),
];

/// One spelling for a state: its code where it is a known state or its code, without dots, in any
/// case; whatever else was written without spaces and case. Empty for nothing.
#[must_use]
pub fn state_code(written: &str) -> String {
    let plain = normalised(&written.replace('.', ""));
    match STATES.iter().find(|(_, name)| *name == plain) {
        Some((code, _)) => (*code).to_owned(),
        None if plain == "yukon" || plain == "yukonterritory" => "yt".to_owned(),
        None => plain,
    }
}
