//! `poll_oneoff`: waiting for several things at once.

use std::time::Duration;

use super::Wait;
use crate::Errno;
use crate::abi::{GuestMemory, Rights, u32_at, u64_at};
use crate::clock::Clocks;
use crate::ctx::State;
use crate::descriptor::{Descriptors, Kind};
use crate::error::{Failure, Result};
use crate::fs::FileType;
use crate::host::{self, Interest, PollHandle, Readiness};

/// Most subscriptions in one call: as many as there can be descriptors by default, and some clocks.
const MAX_SUBSCRIPTIONS: u32 = 8192;
const SUBSCRIPTION_SIZE: u32 = 48;
const EVENT_SIZE: u32 = 32;

/// What a stream is said to take when the host does not tell.
const SOME_BYTES: u64 = 4096;

pub(crate) struct Subscription {
    userdata: u64,
    what: What,
}

enum What {
    /// A clock reaches a time.
    Clock {
        id: u32,
        wake: u64,
    },
    Fd {
        fd: u32,
        interest: Interest,
    },
}

#[derive(Clone, Copy)]
struct Event {
    userdata: u64,
    error: Errno,
    /// 0 for clocks, 1 for reading, 2 for writing.
    kind: u8,
    bytes: u64,
    hangup: bool,
}

impl State {
    pub(crate) fn poll_oneoff(
        &mut self,
        memory: &mut GuestMemory<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        out: u32,
    ) -> Result<()> {
        if count == 0 || count > MAX_SUBSCRIPTIONS {
            return Err(Errno::INVAL.into());
        }
        memory.check(out, 4)?;
        memory.check(events, count * EVENT_SIZE)?;
        let subscriptions = match self.resumed.take() {
            Some(subscriptions) => subscriptions,
            None => memory
                .bytes(subscriptions, count * SUBSCRIPTION_SIZE)?
                .chunks_exact(SUBSCRIPTION_SIZE as usize)
                .map(|record| Subscription::read(record, &mut *self.clocks))
                .collect::<Result<Vec<_>, Errno>>()?,
        };

        let happened = match self.wait(&subscriptions) {
            Err(Failure::Wait(wait)) => {
                let subscriptions = Some(subscriptions);
                return Err(Failure::Wait(Box::new(Wait { subscriptions, ..*wait })));
            }
            happened => happened?,
        };
        for (event, index) in happened.iter().zip(0..) {
            memory.write(events + index * EVENT_SIZE, &event.record())?;
        }
        memory.write_u32(out, happened.len() as u32)
    }

    /// Waits until something has happened.
    fn wait(&mut self, subscriptions: &[Subscription]) -> Result<Vec<Event>> {
        let waiting = self.waiting();
        loop {
            let mut happened = Vec::new();
            let mut handles = Vec::new();
            let mut owners = Vec::new();
            let mut shortest = None;
            for subscription in subscriptions {
                match subscription.what {
                    What::Clock { id, wake } => {
                        let remaining = wake.saturating_sub(read_clock(&mut *self.clocks, id));
                        shortest =
                            Some(shortest.map_or(remaining, |least: u64| least.min(remaining)));
                        if remaining == 0 {
                            happened.push(subscription.event(0));
                        }
                    }
                    What::Fd { fd, interest } => match probe(&self.fds, fd, interest) {
                        Ok(Probe::Ready { bytes }) => happened.push(subscription.event(bytes)),
                        Ok(Probe::Wait(handle)) => {
                            handles.push((handle, interest));
                            owners.push(subscription);
                        }
                        Err(error) => happened.push(Event { error, ..subscription.event(0) }),
                    },
                }
            }

            if !happened.is_empty() {
                collect(&mut happened, &handles, &owners, Some(Duration::ZERO))?;
                return Ok(happened);
            }
            if let Some(nanos) = shortest {
                // On made-up time nothing but what is ready already can come before.
                collect(&mut happened, &handles, &owners, Some(Duration::ZERO))?;
                if happened.is_empty() && self.clocks.skip(nanos) {
                    continue;
                }
            }
            if happened.is_empty() {
                let sleep = shortest.map(Duration::from_nanos);
                let timeout = [sleep, waiting.remaining()].into_iter().flatten().min();
                if waiting.shared {
                    collect(&mut happened, &handles, &owners, Some(Duration::ZERO))?;
                    if happened.is_empty() {
                        waiting.check()?;
                        return Err(Wait::on(&handles, timeout)?);
                    }
                    return Ok(happened);
                }
                collect(&mut happened, &handles, &owners, timeout)?;
            }
            if !happened.is_empty() {
                return Ok(happened);
            }
            waiting.check()?;
        }
    }
}

/// Adds the events of those handles that get ready in time.
fn collect(
    happened: &mut Vec<Event>,
    handles: &[(PollHandle<'_>, Interest)],
    owners: &[&Subscription],
    timeout: Option<Duration>,
) -> Result<()> {
    if handles.is_empty() {
        host::sleep(timeout.unwrap_or(Duration::MAX));
        return Ok(());
    }
    let states = host::poll(handles, timeout)?;
    for ((state, (handle, interest)), owner) in states.into_iter().zip(handles).zip(owners) {
        if state.ready {
            happened.push(owner.ready(state, *handle, *interest));
        }
    }
    Ok(())
}

enum Probe<'a> {
    /// It never has to be waited for.
    Ready {
        bytes: u64,
    },
    Wait(PollHandle<'a>),
}

fn probe(fds: &Descriptors, fd: u32, interest: Interest) -> Result<Probe<'_>, Errno> {
    let descriptor = fds.get(fd)?;
    descriptor.require(Rights::POLL_FD_READWRITE)?;
    let right = if interest == Interest::Read { Rights::FD_READ } else { Rights::FD_WRITE };
    match &descriptor.kind {
        // A listener is ready to be read when there is a connection to accept.
        Kind::Listener(_) if interest == Interest::Read => {}
        _ => descriptor.require(right)?,
    }
    if let Some(handle) = descriptor.kind.poll_handle() {
        return Ok(Probe::Wait(handle));
    }
    let bytes = match (&descriptor.kind, interest) {
        (Kind::File(open), Interest::Read) => {
            let metadata = open.file.metadata()?;
            match metadata.file_type {
                FileType::RegularFile => metadata.size.saturating_sub(open.position),
                _ => SOME_BYTES,
            }
        }
        _ => SOME_BYTES,
    };
    Ok(Probe::Ready { bytes })
}

fn read_clock(clocks: &mut dyn Clocks, id: u32) -> u64 {
    if id == 0 { clocks.realtime() } else { clocks.monotonic() }
}

impl Subscription {
    fn read(record: &[u8], clocks: &mut dyn Clocks) -> Result<Subscription, Errno> {
        let what = match record[8] {
            0 => {
                let id = u32_at(record, 16);
                let timeout = u64_at(record, 24);
                let absolute = match u16::from_le_bytes([record[40], record[41]]) {
                    0 => false,
                    1 => true,
                    _ => return Err(Errno::INVAL),
                };
                if id > 1 {
                    return Err(Errno::INVAL);
                }
                let from = if absolute { 0 } else { read_clock(clocks, id) };
                What::Clock { id, wake: from.saturating_add(timeout) }
            }
            1 => What::Fd { fd: u32_at(record, 16), interest: Interest::Read },
            2 => What::Fd { fd: u32_at(record, 16), interest: Interest::Write },
            _ => return Err(Errno::INVAL),
        };
        Ok(Subscription { userdata: u64_at(record, 0), what })
    }

    fn event(&self, bytes: u64) -> Event {
        let kind = match self.what {
            What::Clock { .. } => 0,
            What::Fd { interest: Interest::Read, .. } => 1,
            What::Fd { interest: Interest::Write, .. } => 2,
        };
        Event { userdata: self.userdata, error: Errno::SUCCESS, kind, bytes, hangup: false }
    }

    fn ready(&self, state: Readiness, handle: PollHandle<'_>, interest: Interest) -> Event {
        let bytes = match interest {
            Interest::Read => host::readable_bytes(handle).unwrap_or(SOME_BYTES),
            Interest::Write => SOME_BYTES,
        };
        Event { hangup: state.hangup, ..self.event(bytes) }
    }
}

impl Event {
    fn record(&self) -> [u8; EVENT_SIZE as usize] {
        let mut out = [0; EVENT_SIZE as usize];
        out[0..8].copy_from_slice(&self.userdata.to_le_bytes());
        out[8..10].copy_from_slice(&self.error.code().to_le_bytes());
        out[10] = self.kind;
        out[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        out[24] = self.hangup.into();
        out
    }
}
