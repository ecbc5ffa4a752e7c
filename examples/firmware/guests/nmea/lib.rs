//! Reads the sentences of a receiver for satellite navigation (NMEA 0183) from the board, a few bytes at a time, and tells
//! it where it is. Sentences whose check sum is wrong are counted.
#![no_std]

use core::panic::PanicInfo;

#[link(wasm_import_module = "board")]
unsafe extern "C" {
    /// Reads up to `len` bytes. Answers how many; 0 at the end.
    fn read(buffer: *mut u8, len: usize) -> usize;
    /// A position in millionths of a degree, and the satellites it was found with.
    safe fn position(latitude: i32, longitude: i32, satellites: u32);
}

/// The longest sentence, without its end of line.
const SENTENCE: usize = 80;

/// Reads to the end. Answers how many sentences were damaged.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> u32 {
    let mut line = [0; SENTENCE];
    let (mut len, mut damaged) = (0, 0);
    let mut buffer = [0; 16];
    loop {
        // SAFETY: the board writes no more than the length says.
        let count = unsafe { read(buffer.as_mut_ptr(), buffer.len()) };
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return damaged;
        };
        for &byte in bytes {
            match byte {
                b'\n' => {
                    let line = line.get(..len).unwrap_or_default();
                    match payload(line) {
                        Some(sentence) => _ = receive(sentence),
                        None => damaged += 1,
                    }
                    len = 0;
                }
                b'\r' => {}
                _ => {
                    if let Some(place) = line.get_mut(len) {
                        *place = byte;
                    }
                    len += 1;
                }
            }
        }
    }
}

/// What stands between `$` and `*`, if the check sum behind it is right.
fn payload(line: &[u8]) -> Option<&[u8]> {
    let (sentence, sum) = line.strip_prefix(b"$")?.split_last_chunk::<3>()?;
    let sum = core::str::from_utf8(sum.strip_prefix(b"*")?).ok()?;
    let right = sentence.iter().fold(0, |sum, byte| sum ^ byte);
    (u8::from_str_radix(sum, 16).ok()? == right).then_some(sentence)
}

/// Tells the board of a position, if the sentence has one.
fn receive(sentence: &[u8]) -> Option<()> {
    let mut fields = sentence.split(|&byte| byte == b',');
    if fields.next()?.get(2..)? != b"GGA" {
        return None;
    }
    let latitude = angle(fields.nth(1)?, fields.next()? == b"S")?;
    let longitude = angle(fields.next()?, fields.next()? == b"W")?;
    let quality = number(fields.next()?)?;
    let satellites = number(fields.next()?)?;
    if quality > 0 {
        position(latitude, longitude, satellites);
    }
    Some(())
}

/// `4916.4500` is 49 degrees and 16.45 minutes.
fn angle(text: &[u8], negative: bool) -> Option<i32> {
    let point = text.iter().position(|&byte| byte == b'.')?;
    let (whole, fraction) = text.split_at(point);
    let whole = number(whole).filter(|&whole| whole <= 180_00)?;
    // Of a minute, in millionths.
    let mut minutes = whole % 100 * 1_000_000;
    let mut unit = 100_000;
    for &digit in fraction.iter().skip(1).take(6) {
        minutes += u32::from(digit.checked_sub(b'0').filter(|&digit| digit < 10)?) * unit;
        unit /= 10;
    }
    let angle = (whole / 100 * 1_000_000 + minutes / 60) as i32;
    Some(if negative { -angle } else { angle })
}

fn number(text: &[u8]) -> Option<u32> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
