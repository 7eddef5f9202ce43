//! The terminal: taken on start, given back however the monitor ends.

use std::{io, time::Duration};

use agent_common::KernelTime;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, KeyCode, KeyEvent, KeyModifiers},
};

use super::{
    model::Model,
    table::{self, View},
};

/// Redrawn at most this often.
const REDRAW: Duration = Duration::from_millis(200);
/// Routers that a page key moves by.
const PAGE: usize = 10;

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    End,
    Scroll(isize),
    Other,
}

/// The alternate screen in raw mode.
#[derive(Debug)]
pub struct Screen {
    terminal: DefaultTerminal,
    drawn: KernelTime,
}

impl Screen {
    /// Also makes a panic give the terminal back before its message.
    ///
    /// # Errors
    ///
    /// When the terminal cannot be switched.
    pub fn open() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self {
                terminal,
                drawn: KernelTime(0),
            }),
            Err(error) => {
                // It may have come half-way.
                ratatui::restore();
                Err(error)
            }
        }
    }

    /// Draws if it is time to.
    pub fn draw(&mut self, model: &Model, view: &View, now: KernelTime) -> io::Result<()> {
        if now < self.next_draw() {
            return Ok(());
        }
        self.drawn = now;
        self.terminal
            .draw(|frame| table::draw(frame, model, view, now))
            .map(drop)
    }

    pub fn next_draw(&self) -> KernelTime {
        self.drawn.after(REDRAW)
    }

    /// The next key that was pressed, `None` without one; does not wait.
    pub fn key(&mut self) -> io::Result<Option<Key>> {
        if !event::poll(Duration::ZERO)? {
            return Ok(None);
        }
        let key = event::read()?.as_key_press_event().map(meaning);
        Ok(Some(key.unwrap_or(Key::Other)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A panic has given it back already, and written its message there.
        if !std::thread::panicking() {
            ratatui::restore();
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other keys mean the same: nothing"
)]
fn meaning(key: KeyEvent) -> Key {
    let page = isize::try_from(PAGE).unwrap_or(1);
    match key.code {
        // Raw mode makes a key of what would be SIGINT.
        KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::End,
        KeyCode::Char('q') | KeyCode::Esc => Key::End,
        KeyCode::Down | KeyCode::Char('j') => Key::Scroll(1),
        KeyCode::Up | KeyCode::Char('k') => Key::Scroll(-1),
        KeyCode::PageDown => Key::Scroll(page),
        KeyCode::PageUp => Key::Scroll(-page),
        _ => Key::Other,
    }
}
