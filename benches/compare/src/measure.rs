//! One measurement, in a process of its own.

use crate::engines::{Mode, Runtime};
use rustix::time::{ClockId, clock_gettime};
use std::{array, fs, mem};

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// A call of `run` with this argument: nanoseconds, the result.
    Execute(Vec<u8>, i32),
    /// From bytes to a module: nanoseconds, bytes of memory at the peak, and of machine code.
    Load(Vec<u8>),
    /// Validation alone: nanoseconds.
    Validate(Vec<u8>),
    /// Instantiation of a module, and the end of the instance: nanoseconds.
    Instantiate(Vec<u8>),
    /// Memory that an instance takes which does nothing: bytes.
    Idle(Vec<u8>),
    /// Calls: nanoseconds from host to guest, from guest to host without and with arguments, from guest to guest,
    /// and the same through a table.
    Calls(Vec<u8>),
}

/// `None` if the engine cannot do that.
pub(crate) fn run<R: Runtime>(mode: Mode, task: &Task) -> Option<Vec<f64>> {
    let engine = R::new(mode);
    Some(match task {
        Task::Execute(wasm, arg) => {
            let mut instance = engine.instantiate(&engine.load(wasm));
            let mut result = 0;
            let time = fastest(3, || result = engine.call(&mut instance, "run", *arg));
            vec![time, f64::from(result)]
        }
        Task::Load(wasm) => {
            // The kernel is asked, since engines do not only take memory from the heap. This resets the peak.
            fs::write("/proc/self/clear_refs", "5").unwrap();
            let used = || [memory("status", "VmHWM:"), memory("status", "RssFile:"), code_bytes()];
            let before = used();
            let mut module = None;
            let first = fastest(1, || module = Some(engine.load(wasm)));
            let after = used();
            drop(module);
            let [peak, files, code] = array::from_fn(|i| after[i] - before[i]);
            // Some compilers take seconds for what is large.
            let more = (3_000_000 / wasm.len()).min(9);
            let best = first.min(fastest(more, || engine.load(wasm)));
            // Without the parts of this program that had not run before.
            vec![best, peak - files, code]
        }
        Task::Validate(wasm) => {
            engine.validate(wasm)?;
            vec![fastest(10, || engine.validate(wasm))]
        }
        Task::Instantiate(wasm) => {
            let module = engine.load(wasm);
            let batch = || (0..1000).for_each(|_| drop(engine.instantiate(&module)));
            vec![fastest(10, batch) / 1000.0]
        }
        Task::Idle(wasm) => {
            let module = engine.load(wasm);
            let first = engine.instantiate(&module);
            let before = memory("smaps_rollup", "Rss:");
            let instances: Vec<_> = (0..2000).map(|_| engine.instantiate(&module)).collect();
            let bytes = memory("smaps_rollup", "Rss:") - before;
            // Ending them would only take time.
            mem::forget((first, instances));
            vec![bytes / 2000.0]
        }
        Task::Calls(wasm) => {
            let mut instance = engine.instantiate(&engine.load(wasm));
            let from_host = fastest(5, || engine.call_nullary(&mut instance, "nullary", CALLS));
            let mut times = ["loop_empty", "loop_nop", "loop_add", "loop_local", "loop_indirect"]
                .map(|func| {
                    let calls = CALLS.cast_signed();
                    fastest(5, || engine.call(&mut instance, func, calls))
                });
            let [alone, calls @ ..] = &mut times;
            calls.iter_mut().for_each(|time| *time -= *alone);
            [&[from_host], &calls[..]].concat().iter().map(|time| time / f64::from(CALLS)).collect()
        }
    })
}

const CALLS: u32 = 300_000;

/// The shortest time that it took, in nanoseconds of the process.
fn fastest<T>(times: usize, mut run: impl FnMut() -> T) -> f64 {
    let once = |_| {
        let start = cpu_time();
        let result = run();
        let time = cpu_time() - start;
        drop(result);
        time
    };
    (0..times).map(once).fold(f64::INFINITY, f64::min)
}

/// In nanoseconds: unlike the clock on the wall, it does not go on while other processes run.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Of this process, from a file of lines like `Rss:  1234 kB`.
fn memory(file: &str, key: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes: Option<f64> = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap() * 1024.0
}

/// Executable memory that is in use and does not come from a file.
fn code_bytes() -> f64 {
    let text = fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut kilobytes, mut counts) = (0.0, false);
    for line in text.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["Rss:", size, _] if counts => kilobytes += size.parse::<f64>().unwrap(),
            // The head of a mapping.
            [_, permissions, _, _, inode, ..] => counts = permissions.contains('x') && inode == "0",
            _ => {}
        }
    }
    kilobytes * 1024.0
}
