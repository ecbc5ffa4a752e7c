//! Threads of the standard library: spawn and join, mutexes, condition variables, channels, scoped threads, thread locals.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock, mpsc};
use std::thread;
use std::time::Duration;

thread_local!(static CALLS: Cell<u32> = const { Cell::new(0) });

fn primes(from: u32, to: u32) -> usize {
    CALLS.set(CALLS.get() + 1);
    (from..to).filter(|&n| n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)).count()
}

fn main() {
    let found: usize = thread::scope(|scope| {
        let parts: Vec<_> =
            (0..4).map(|i| scope.spawn(move || primes(i * 5_000, (i + 1) * 5_000))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    println!("primes below 20000: {found}, on this thread {}", CALLS.get());

    let counter = Arc::new((Mutex::new(0u64), AtomicU64::new(0)));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let counter = counter.clone();
            thread::spawn(move || {
                for _ in 0..5_000 {
                    *counter.0.lock().unwrap() += 1;
                    counter.1.fetch_add(2, Ordering::Relaxed);
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    println!("counted {} and {}", counter.0.lock().unwrap(), counter.1.load(Ordering::Relaxed));

    let (sender, receiver) = mpsc::channel();
    for id in 0..3u64 {
        let sender = sender.clone();
        thread::spawn(move || {
            for i in 0..1_000 {
                sender.send((id, i)).unwrap();
            }
        });
    }
    drop(sender);
    let mut sums = HashMap::new();
    for (id, i) in receiver {
        *sums.entry(id).or_insert(0u64) += i;
    }
    println!("sums {:?}", (0..3).map(|id| sums[&id]).collect::<Vec<_>>());

    let (turn, barrier) = (Arc::new((Mutex::new(0), Condvar::new())), Arc::new(Barrier::new(3)));
    let log = Arc::new(RwLock::new(Vec::new()));
    let players: Vec<_> = (0..3)
        .map(|id| {
            let (turn, barrier, log) = (turn.clone(), barrier.clone(), log.clone());
            thread::spawn(move || {
                barrier.wait();
                for round in 0..3 {
                    let mut now = turn.0.lock().unwrap();
                    while *now % 3 != id {
                        now = turn.1.wait(now).unwrap();
                    }
                    log.write().unwrap().push(format!("{round}{id}"));
                    *now += 1;
                    turn.1.notify_all();
                }
            })
        })
        .collect();
    players.into_iter().for_each(|player| player.join().unwrap());
    println!("turns {}", log.read().unwrap().join(" "));

    let sleeper = thread::spawn(|| thread::sleep(Duration::from_millis(30)));
    sleeper.join().unwrap();
    // What still runs ends with the process.
    thread::spawn(|| loop {
        thread::sleep(Duration::from_secs(1));
    });
    std::process::exit(9);
}
