//! A command (wasm32-wasip1): arguments, environment, standard input, files, directories, clocks, random hash keys, exit code.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, process, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    println!("args: {args:?}");
    println!("env: {:?} {:?}", env::var("BIRD"), env::var("ABSENT"));

    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let mut count: HashMap<&str, usize> = HashMap::new();
    for word in input.split_whitespace() {
        *count.entry(word).or_default() += 1;
    }
    let mut words: Vec<_> = count.into_iter().collect();
    words.sort();
    println!("words: {words:?}");

    let dir = format!("{}/nest", args[0]);
    fs::create_dir(&dir)?;
    let path = format!("{dir}/egg.txt");
    let mut file = fs::File::options().create_new(true).read(true).write(true).open(&path)?;
    file.write_all(b"0123456789")?;
    file.seek(SeekFrom::Start(4))?;
    file.write_all(b"four")?;
    file.set_len(9)?;
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    println!("file: {text} {} {:?}", file.metadata()?.len(), file.metadata()?.is_file());
    drop(file);
    fs::rename(&path, format!("{dir}/chick.txt"))?;
    let names: Vec<_> =
        fs::read_dir(&dir)?.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>()?;
    println!("dir: {names:?} {:?}", fs::read(&path).map_err(|e| e.kind()));
    println!("busy: {}", fs::remove_dir(&dir).is_err());
    fs::remove_file(format!("{dir}/chick.txt"))?;
    fs::remove_dir(&dir)?;

    let start = Instant::now();
    thread::sleep(Duration::from_millis(20));
    println!("slept: {}", start.elapsed() >= Duration::from_millis(20));
    println!(
        "date: {}",
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs() > 1_700_000_000
    );
    io::stdout().flush()?;
    eprintln!("to standard error");
    process::exit(9)
}
