//! Asynchronous host functions: the guest waits, the thread does not.

use kinglet::{Caller, Engine, Linker, Module, Result, Store};
use std::{
    future::Future,
    pin::Pin,
    sync::mpsc,
    task::{Context, Poll},
    thread,
    time::Duration,
};

fn main() -> Result<()> {
    let engine = Engine::default();
    let mut linker = Linker::<u32>::new(&engine);
    linker.func_wrap_async("host", "fetch", |mut caller: Caller<'_, u32>, (key,): (i32,)| {
        Box::new(async move {
            let value = Fetch::new(key).await;
            *caller.data_mut() += 1;
            value
        })
    })?;
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "fetch" (func $fetch (param i32) (result i32)))
            (func (export "sum") (result i32)
                (i32.add (call $fetch (i32.const 1)) (call $fetch (i32.const 2)))))"#,
    )?;
    // Any executor will do.
    pollster::block_on(async {
        let mut store = Store::new(&engine, 0);
        let instance = linker.instantiate_async(&mut store, &module).await?;
        let sum = instance.get_typed_func::<(), i32>(&mut store, "sum")?;
        let result = sum.call_async(&mut store, ()).await?;
        println!("{result}, after {} fetches", store.data());
        assert_eq!((result, *store.data()), (300, 2));
        Ok(())
    })
}

/// Gets the value of a key from somewhere else: here, another thread.
struct Fetch {
    key: i32,
    answer: Option<mpsc::Receiver<i32>>,
}

impl Fetch {
    fn new(key: i32) -> Fetch {
        Fetch { key, answer: None }
    }
}

impl Future for Fetch {
    type Output = i32;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<i32> {
        if let Some(answer) = &self.answer {
            return answer.try_recv().map_or(Poll::Pending, Poll::Ready);
        }
        let (sender, receiver) = mpsc::channel();
        let (key, waker) = (self.key, context.waker().clone());
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            // Nobody waits any more if the call was abandoned.
            let _ = sender.send(key * 100);
            waker.wake();
        });
        self.answer = Some(receiver);
        Poll::Pending
    }
}
