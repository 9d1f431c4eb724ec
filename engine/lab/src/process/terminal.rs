//! The line discipline of a terminal: what is typed becomes lines, an echo and signals.
//!
//! Invariant: a program reads whole lines, as from a Linux terminal in its usual (canonical) mode; at most one line is
//! being typed, and few wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{SIGINT, SIGQUIT};

/// Longest line that can be typed; Linux drops what goes beyond.
const LINE: usize = 4095;

/// Lines that may wait for a program before typing has to wait.
const LINES: usize = 64;

const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: u8 = 8;
const KILL_LINE: u8 = 21;
const ERASE_WORD: u8 = 23;
const QUIT: u8 = 28;
const DELETE: u8 = 127;

/// A terminal; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    line: Vec<u8>,
    /// Lines to be read; an empty one is the end of input, once.
    ready: VecDeque<Vec<u8>>,
    hung_up: bool,
}

/// What typing does besides making lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// What the terminal shows, before its own treatment of line feeds.
    pub echo: Vec<u8>,
    /// Signals for the programs on the terminal.
    pub signals: Vec<u8>,
}

impl Terminal {
    /// Takes what is typed.
    pub fn type_in(&self, keys: &[u8]) -> Typed {
        let mut typed = Typed::default();
        let mut state = self.state();
        for &key in keys {
            state.press(key, &mut typed);
        }
        drop(state);
        self.inner.changed.notify_waiters();
        typed
    }

    /// Nobody is at the terminal any more: what is read from now on is the end.
    pub fn hang_up(&self) {
        self.state().hung_up = true;
        self.inner.changed.notify_waiters();
    }

    /// Waits for a line, and takes it or its first `max` bytes; empty at an end of input.
    pub(super) async fn read(&self, max: usize) -> Vec<u8> {
        self.when(|state| match state.ready.pop_front() {
            Some(mut line) => {
                if line.len() > max {
                    let rest = line.split_off(max);
                    state.ready.push_front(rest);
                }
                Some(line)
            }
            None => state.hung_up.then(Vec::new),
        })
        .await
    }

    /// Waits until there is room for more lines.
    pub async fn ready(&self) {
        self.when(|state| (state.hung_up || state.ready.len() < LINES).then_some(())).await;
    }

    async fn when<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let notified = self.inner.changed.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            if let Some(found) = look(&mut self.state()) {
                self.inner.changed.notify_waiters();
                return found;
            }
            notified.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn press(&mut self, key: u8, typed: &mut Typed) {
        match key {
            b'\r' | b'\n' => {
                self.line.push(b'\n');
                self.finish();
                typed.echo.push(b'\n');
            }
            INTERRUPT | QUIT => {
                self.line.clear();
                typed.echo.extend_from_slice(if key == INTERRUPT { b"^C" } else { b"^\\" });
                typed.signals.push(if key == INTERRUPT { SIGINT } else { SIGQUIT });
            }
            END => self.finish(),
            DELETE | BACKSPACE => self.erase(1, typed),
            KILL_LINE => self.erase(usize::MAX, typed),
            ERASE_WORD => {
                let kept = self.line.trim_ascii_end();
                let start = kept.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
                let word = String::from_utf8_lossy(&self.line[start..]).chars().count();
                self.erase(word, typed);
            }
            _ if self.line.len() >= LINE => {}
            b'\t' | b' '..=b'~' | 128.. => {
                self.line.push(key);
                typed.echo.push(key);
            }
            control => {
                self.line.push(control);
                typed.echo.extend_from_slice(&[b'^', control ^ 0x40]);
            }
        }
    }

    /// Lets programs read what is typed so far.
    fn finish(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.ready.push_back(line);
    }

    fn erase(&mut self, characters: usize, typed: &mut Typed) {
        for _ in 0..characters {
            let Some(mut byte) = self.line.pop() else { return };
            // The other bytes of one character in UTF-8.
            while byte & 0xc0 == 0x80 {
                let Some(before) = self.line.pop() else { break };
                byte = before;
            }
            typed.echo.extend_from_slice(b"\x08 \x08");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(terminal: &Terminal, keys: &[u8]) -> String {
        String::from_utf8(terminal.type_in(keys).echo).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_edited_and_read_whole() {
        let terminal = Terminal::default();
        assert_eq!(echo(&terminal, b"eco\x7f\x7fcho hi\r"), "eco\x08 \x08\x08 \x08cho hi\n");
        assert_eq!(terminal.read(99).await, b"echo hi\n");
        assert_eq!(echo(&terminal, "ls /tmp\x17ä\x7f\x15".as_bytes()).matches('\x08').count(), 16);
        terminal.type_in(b"abc\n");
        assert_eq!((terminal.read(2).await, terminal.read(9).await), (b"ab".to_vec(), b"c\n".to_vec()));
    }

    #[tokio::test(start_paused = true)]
    async fn control_keys_end_input_once_and_signal() {
        let terminal = Terminal::default();
        let typed = terminal.type_in(b"rm -r\x03");
        assert_eq!((typed.echo.ends_with(b"^C"), typed.signals), (true, vec![SIGINT]));
        terminal.type_in(b"\x04more\x04");
        assert_eq!((terminal.read(9).await, terminal.read(9).await), (Vec::new(), b"more".to_vec()));
        terminal.hang_up();
        assert_eq!((terminal.read(9).await, terminal.read(9).await), (Vec::new(), Vec::new()));
    }

    proptest::proptest! {
        #[test]
        fn no_keys_upset_the_terminal(keys in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let terminal = Terminal::default();
            terminal.type_in(&keys);
            proptest::prop_assert!(terminal.state().line.len() <= LINE);
        }
    }
}
