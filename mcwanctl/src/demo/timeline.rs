//! What story 3's requests say about the failover, as functions of values.

use std::time::Duration;

use super::world::Tunnel;

/// Time shown by one letter.
const LETTER: Duration = Duration::from_millis(250);

/// One request; times count from the start of the load.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answered {
    /// When it was sent.
    pub sent: Duration,
    /// When it was answered, or failed.
    pub ended: Duration,
    /// Answered with 2xx.
    pub succeeded: bool,
    /// The tunnel that the access log names.
    pub tunnel: Option<Tunnel>,
    /// Attempts that the access log names.
    pub attempts: usize,
}

/// All requests, and what happened to the tunnel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Timeline {
    /// The requests, in order of sending.
    pub answers: Vec<Answered>,
    /// When the first packet was lost.
    pub lost: Duration,
    /// When the tunnel was repaired.
    pub restored: Duration,
}

impl Timeline {
    /// Requests without a good answer.
    pub(crate) fn failed(&self) -> usize {
        self.answers.iter().filter(|a| !a.succeeded).count()
    }

    /// Requests that were answered after a second attempt.
    pub(crate) fn moved(&self) -> usize {
        let moved = |a: &&Answered| a.succeeded && a.attempts > 1;
        self.answers.iter().filter(moved).count()
    }

    fn over(&self, tunnel: Tunnel) -> impl Iterator<Item = &Answered> {
        let over = move |a: &&Answered| a.succeeded && a.tunnel == Some(tunnel);
        self.answers.iter().filter(over)
    }

    /// From the first lost packet to the first answer over the other tunnel.
    pub(crate) fn detected(&self) -> Option<Duration> {
        let ended = self.over(Tunnel::Default).map(|a| a.ended);
        let first = ended.filter(|ended| *ended >= self.lost).min()?;
        first.checked_sub(self.lost)
    }

    /// From the repair to the first answer over the business tunnel to a request sent since.
    pub(crate) fn back(&self) -> Option<Duration> {
        let since = self
            .over(Tunnel::Business)
            .filter(|a| a.sent >= self.restored);
        let first = since.map(|a| a.ended).min()?;
        first.checked_sub(self.restored)
    }

    /// Whether the last answers, one letter's worth, came over this tunnel.
    pub(crate) fn ends_on(&self, tunnel: Tunnel) -> bool {
        let Some(last) = self.answers.iter().map(|a| a.sent).max() else {
            return false;
        };
        let mut final_ones = self
            .answers
            .iter()
            .filter(|a| a.sent + LETTER > last)
            .peekable();
        final_ones.peek().is_some() && final_ones.all(|a| a.tunnel == Some(tunnel))
    }

    /// Two lines: what was answered in each quarter of a second, and when the tunnel was cut and repaired.
    pub(crate) fn drawing(&self) -> [String; 2] {
        let ends = self.answers.iter().map(|a| a.ended);
        let letters = ends.max().map_or(0, |end| letter(end) + 1);
        let mut answers = String::new();
        for n in 0..letters {
            let business = self.over(Tunnel::Business).any(|a| letter(a.ended) == n);
            let default = self.over(Tunnel::Default).any(|a| letter(a.ended) == n);
            answers.push(match (business, default) {
                (true, true) => '*',
                (true, false) => 'b',
                (false, true) => 'd',
                (false, false) => '-',
            });
        }
        let (lost, restored) = (letter(self.lost), letter(self.restored));
        let gap = restored.saturating_sub(lost).saturating_sub("^ cut".len());
        let events = format!("{:lost$}^ cut{:gap$}^ repaired", "", "");
        [answers, events]
    }
}

/// The letter that shows a moment.
fn letter(time: Duration) -> usize {
    usize::try_from(time.as_millis() / LETTER.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Answered, Timeline, Tunnel};

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn answered(sent: u64, ended: u64, tunnel: Tunnel, attempts: usize) -> Answered {
        Answered {
            sent: ms(sent),
            ended: ms(ended),
            succeeded: true,
            tunnel: Some(tunnel),
            attempts,
        }
    }

    /// Cut at 1 s, noticed at 1.8 s, repaired at 3 s, back at 8.1 s.
    fn timeline() -> Timeline {
        let failed = Answered {
            succeeded: false,
            tunnel: None,
            ..answered(1000, 1500, Tunnel::Business, 1)
        };
        let mut answers = vec![failed];
        answers.push(answered(0, 10, Tunnel::Business, 1));
        answers.push(answered(1000, 1800, Tunnel::Default, 2));
        answers.push(answered(2900, 3010, Tunnel::Default, 1));
        answers.push(answered(8090, 8100, Tunnel::Business, 1));
        Timeline {
            answers,
            lost: ms(1000),
            restored: ms(3000),
        }
    }

    #[test]
    fn times_count_from_the_first_loss_and_from_the_repair() {
        let t = timeline();
        assert_eq!(t.detected(), Some(ms(800)));
        assert_eq!(t.back(), Some(ms(5100)));
        assert_eq!((t.failed(), t.moved()), (1, 1));
    }

    #[test]
    fn an_answer_to_a_request_from_before_the_repair_is_not_a_return() {
        let mut t = timeline();
        t.answers.pop();
        t.answers.push(answered(2900, 3020, Tunnel::Business, 1));
        assert_eq!(t.back(), None);
    }

    #[test]
    fn it_ends_on_a_tunnel_only_if_all_last_answers_came_over_it() {
        let mut t = timeline();
        assert!(t.ends_on(Tunnel::Business) && !t.ends_on(Tunnel::Default));
        t.answers.push(answered(8095, 8200, Tunnel::Default, 1));
        assert!(!t.ends_on(Tunnel::Business));
        t.answers.clear();
        assert!(!t.ends_on(Tunnel::Business));
    }

    #[test]
    fn the_drawing_shows_each_quarter_of_a_second() {
        let [answers, events] = timeline().drawing();
        assert_eq!(answers, "b------d----d-------------------b");
        assert_eq!(events, "    ^ cut   ^ repaired");
    }
}
