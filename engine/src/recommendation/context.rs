//! What is the same for everybody who is served from one programme.

use crate::agenda::is_break;
use crate::programme::Programme;

use super::Interest;
use super::crowd::{Links, popularity};
use super::kin::Kin;
use super::options::Options;

/// A programme at one moment, with what the crowd did.
pub(crate) struct Context<'a> {
    pub programme: &'a Programme,
    pub options: &'a Options,
    pub links: Links<'a>,
    pub kin: Kin<'a>,
    pub popularity: Option<Vec<f32>>,
    /// Sessions that take place, have not ended and are no break.
    pub open: Vec<bool>,
}

impl<'a> Context<'a> {
    pub fn new(
        programme: &'a Programme,
        interest: Interest,
        links: Links<'a>,
        kin: Kin<'a>,
        options: &'a Options,
    ) -> Self {
        let open = (0..programme.len() as u32)
            .map(|session| {
                programme.is_ahead(session, options.now)
                    && !is_break(programme.session(session).format.as_deref())
            })
            .collect();
        let popularity = popularity(programme, interest);
        Self { programme, options, links, kin, popularity, open }
    }
}
