use super::*;
use proptest::prelude::*;

fn all(expected: Word, bodies: &[&str]) {
    for body in bodies {
        assert_eq!(understand(body), expected, "{body:?}");
    }
}

#[test]
fn yes_in_its_forms() {
    all(
        Word::Yes,
        &[
            "YES",
            "yes",
            "Yes!",
            " yes. ",
            "YES!!!",
            "yes please",
            "Yes, please.",
            "yep",
            "Yeah!",
            "y",
            "Y",
            "yse",
            "yesss",
            "YEEES",
            "yes \u{1f60a}",
            "\u{1f44d}",
            "\u{1f44d}\u{1f3fd}",
            "yes\u{1f44d}",
            "\"Yes\"",
            "*yes*",
            "y.e.s.",
            "yes yes yes",
            "Yes, I'd love to!",
            "yes thank you",
            "oh yes",
            "\u{ff39}\u{ff25}\u{ff33}",
            "y\u{200b}es",
            "yes?",
            "Yes to be introduced",
            "ok yes",
            "YES\n",
            "yes\u{a0}please",
            "yup",
            "yess",
            "of course, yes",
        ],
    );
}

#[test]
fn consent_is_never_guessed() {
    all(
        Word::Unclear,
        &[
            "yesterday",
            "Yesterday!",
            "eyes",
            "yet",
            "yesno",
            "yes no",
            "yes/no",
            "yes or no?",
            "yes but later",
            "not yes",
            "yes if she comes too",
            "yes tomorrow",
            "yes-man",
            "did I say yes?",
            "bayes",
            "yes, no, later",
            "maybe",
            "ok",
            "sure",
            "k",
            "",
            "   ",
            "!!!",
            "\u{1f60a}",
            "\u{1f44d}\u{1f44e}",
            "yes \u{1f44e}",
            "Liked \u{201c}Reply YES to meet\u{201d}",
            "yes 8",
            "YES STOP",
            "no problem",
            "no worries",
            "yeah no",
            "yes i do not",
            "ja",
            "yesyesterday",
            "1 yes",
            "I am driving, I will answer when I have arrived",
        ],
    );
    assert_eq!(understand(&"yes ".repeat(100)), Word::Unclear);
}

#[test]
fn no_later_and_skip_in_their_forms() {
    all(
        Word::No,
        &[
            "NO",
            "no",
            "No.",
            "n",
            "nope",
            "nah",
            "no thanks",
            "No, thank you!",
            "nooo",
            "no way",
            "Not interested",
            "\u{1f44e}",
            "no sorry",
            "I'm good, no thanks",
            "N.O.",
        ],
    );
    all(
        Word::Later,
        &[
            "LATER",
            "later",
            "Later!",
            "later please",
            "maybe later",
            "ask me later",
            "latr",
            "laterr",
            "lateer",
            "not now",
            "l8r",
            "Later today",
            "later \u{1f642}",
            "Not yet.",
        ],
    );
    all(
        Word::Skip,
        &[
            "SKIP",
            "skip",
            "Skip it",
            "skip this one",
            "skip this break please",
            "skipp",
            "skp",
            "skip, thanks",
            "skpi",
        ],
    );
    all(
        Word::Unclear,
        &[
            "late",
            "latter",
            "see you later",
            "skim",
            "ship",
            "sip",
            "alter",
            "noon",
            "note",
            "nothing",
            "know",
        ],
    );
}

#[test]
fn the_words_that_end_it() {
    all(
        Word::Stop,
        &[
            "STOP",
            "stop",
            "Stop.",
            "STOPALL",
            "stop all",
            "UNSUBSCRIBE",
            "unsubscribe me",
            "CANCEL",
            "END",
            "QUIT",
            "quit!",
            "please stop",
            "Stop texting me",
            "stop sending me messages please",
            "STOPP",
            "sotp",
            "opt out",
            "OPTOUT",
            "revoke",
        ],
    );
    all(
        Word::StopPeer,
        &[
            "STOP PEER",
            "stop peer",
            "Stop peers",
            "STOP-PEER",
            "stoppeer",
            "stop peer matching please",
            "stop introductions",
            "stop pear",
            "sotp peer",
            "end peer",
            "please stop peer",
            "STOP PEER!!!",
            "stop  peer",
            "stop\npeer",
        ],
    );
    all(
        Word::StartPeer,
        &[
            "START PEER",
            "start peer",
            "Start peers please",
            "startpeer",
            "start peer again",
            "strat peer",
        ],
    );
    all(
        Word::Unclear,
        &[
            "start",
            "stop by the booth",
            "cancel the meeting",
            "the end",
            "weekend",
            "non-stop",
            "dont stop peer",
            "peer",
            "stop peer later",
            "unstoppable",
            "ending",
            "i quit smoking",
            "start peer stop peer",
        ],
    );
}

#[test]
fn numbers_from_one_to_ten() {
    for given in 1..=10_u8 {
        for body in [
            format!("{given}"),
            format!("{given}!"),
            format!("{given}/10"),
            format!("a {given}"),
            format!("{given} out of 10"),
            format!("#{given}"),
            format!("I'd say {given}."),
            NUMBERS[given as usize - 1].to_uppercase(),
        ] {
            assert_eq!(understand(&body), Word::Rating(given), "{body:?}");
        }
    }
    all(
        Word::Rating(7),
        &["7\u{fe0f}\u{20e3}", "\u{ff17}", "07", "7 \u{1f60a}", "It was a solid 7"],
    );
    all(Word::Rating(10), &["\u{1f51f}", "10/10", "ten"]);
    all(
        Word::Unclear,
        &[
            "0",
            "11",
            "-5",
            "8.5",
            "8,5",
            "7-8",
            "1st",
            "7 8",
            "8/11",
            "12/10",
            "100",
            "10 minutes",
            "+5",
            "5%",
            "eleven",
            "1e1",
            "99999999999999999999",
            "out of 10",
            "no 5",
        ],
    );
}

proptest! {
    #[test]
    fn any_text_is_read_without_harm(body in "\\PC{0,300}") {
        let _ = understand(&body);
    }

    #[test]
    fn a_word_more_that_is_not_polite_is_never_consent(word in "[a-z]{2,12}") {
        let polite = |w: &str| among(YES, w) || stretched(YES, w) || among(YES_TOO, w);
        prop_assume!(!polite(&word));
        prop_assert_ne!(understand(&format!("yes {word}")), Word::Yes);
        prop_assert_ne!(understand(&format!("{word} yes")), Word::Yes);
    }

    #[test]
    fn case_punctuation_and_smiles_change_nothing(
        upper in any::<bool>(), end in "[.!? ]{0,5}", smile in prop::sample::select(vec!["", "\u{1f60a}", "\u{1f389}\u{1f389}", ":-)"]),
        said in prop::sample::select(vec!["yes", "no", "later", "skip", "stop", "stop peer", "start peer", "yes please"]),
    ) {
        let body = if upper { said.to_uppercase() } else { said.to_owned() };
        prop_assert_eq!(understand(&format!(" {body}{end} {smile}")), understand(said));
        prop_assert_ne!(understand(said), Word::Unclear);
    }
}
