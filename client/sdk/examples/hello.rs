//! A scheduler that runs N tasks and says how they ended.
//!
//! `cargo run -p tepui-sdk --example hello -- 127.0.0.1:5050 3`

use std::collections::BTreeSet;
use tepui_sdk::mesos::{Offer, TaskState};
use tepui_sdk::scheduler::{Error, Event};
use tepui_sdk::{Scheduler, is_terminal, messages, resources};

/// Launches what is still to be launched, as far as the offer holds it.
async fn launch(scheduler: &Scheduler, offer: &Offer, next: &mut u32, count: u32) -> Result<(), Error> {
    let mut pool = resources::offered(offer);
    let wanted = resources::scalars(&[("cpus", 0.1), ("mem", 32.0)]);
    let mut tasks = Vec::new();
    while *next < count
        && let Some(taken) = resources::take(&mut pool, &wanted)
    {
        let command = messages::shell(format!("echo hello from task {next}"));
        tasks.push(messages::task(format!("hello-{next}"), command, taken.to_proto()));
        *next += 1;
    }
    match tasks.is_empty() {
        true => scheduler.decline(std::slice::from_ref(offer), None).await,
        false => scheduler.launch(offer, tasks).await,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let master = args.next().unwrap_or_else(|| "127.0.0.1:5050".to_owned());
    let count: u32 = args.next().map_or(Ok(3), |count| count.parse())?;
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let (scheduler, mut events) = Scheduler::builder(master, messages::framework("hello", user)).connect()?;
    let (mut next, mut ended) = (0, BTreeSet::new());
    while let Some(event) = events.next().await {
        match event {
            Event::Subscribed { framework_id, .. } => println!("subscribed as {framework_id}"),
            Event::Offers(offers) => {
                for offer in &offers {
                    launch(&scheduler, offer, &mut next, count).await?;
                }
            }
            Event::Update(status) => {
                let message = status.message.as_deref().unwrap_or_default();
                println!("{}: {:?} {message}", status.task_id.value, status.state);
                scheduler.acknowledge(&status).await?;
                if status.state == TaskState::TASK_ERROR {
                    return Err(format!("{} cannot run: {message}", status.task_id.value).into());
                }
                // An end may be told more than once.
                ended.extend(is_terminal(status.state).then(|| status.task_id.value.clone()));
                if ended.len() == count as usize {
                    // Offers that have come meanwhile can no longer be answered, and need not be.
                    return Ok(scheduler.teardown().await?);
                }
            }
            Event::Disconnected(reason) => eprintln!("disconnected: {reason}"),
            Event::Error(text) => return Err(text.into()),
            _ => {}
        }
    }
    Ok(())
}
