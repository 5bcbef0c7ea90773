//! A scheduler that launches two tasks together, in one executor of its own: both start or neither.
//!
//! `cargo run -p tepui-sdk --example task_group -- 127.0.0.1:5050 /path/to/an/executor`
//! with, for example, the `executor` of these examples.

use tepui_sdk::mesos::{
    CommandInfo, ExecutorID, ExecutorInfo, Offer, TaskID, TaskInfo, executor_info, offer::Operation,
};
use tepui_sdk::scheduler::Event;
use tepui_sdk::{Scheduler, call, is_terminal, messages, resources};

/// The group on this offer, or nothing if the offer is too small.
fn group(offer: &Offer, executor: &str) -> Option<Operation> {
    let mut pool = resources::offered(offer);
    // The master wants some disk of an executor that runs a group.
    let wanted = resources::scalars(&[("cpus", 0.1), ("mem", 32.0), ("disk", 32.0)]);
    let mut take = || resources::take(&mut pool, &wanted);
    let executor = ExecutorInfo {
        r#type: Some(executor_info::Type::CUSTOM),
        executor_id: ExecutorID { value: "pair".to_owned(), ..ExecutorID::default() }.into(),
        framework_id: offer.framework_id.clone(),
        command: messages::shell(executor).into(),
        resources: take()?.to_proto(),
        ..ExecutorInfo::default()
    };
    let mut tasks = Vec::new();
    for name in ["left", "right"] {
        let task = messages::task(name, CommandInfo::default(), take()?.to_proto());
        // Tasks of an executor of one's own have no command; what they do stands in their data.
        tasks.push(TaskInfo {
            task_id: TaskID { value: name.to_owned(), ..TaskID::default() }.into(),
            agent_id: offer.agent_id.clone(),
            command: None.into(),
            data: Some(b"2".to_vec()),
            ..task
        });
    }
    Some(call::launch_group(executor, tasks))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(master), Some(executor)) = (args.next(), args.next()) else {
        return Err("usage: task_group MASTER EXECUTOR".into());
    };
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let (scheduler, mut events) = Scheduler::builder(master, messages::framework("pair", user)).connect()?;
    let (mut launched, mut ended) = (false, 0);
    while let Some(event) = events.next().await {
        match event {
            Event::Subscribed { framework_id, .. } => println!("subscribed as {framework_id}"),
            Event::Offers(offers) => {
                for offer in offers {
                    match group(&offer, &executor).filter(|_| !launched) {
                        Some(operation) => {
                            scheduler.accept(&[offer], vec![operation], None).await?;
                            launched = true;
                        }
                        None => scheduler.decline(&[offer], None).await?,
                    }
                }
            }
            Event::Update(status) => {
                let message = status.message.as_deref().unwrap_or_default();
                println!("{}: {:?} {message}", status.task_id.value, status.state);
                scheduler.acknowledge(&status).await?;
                ended += u32::from(is_terminal(status.state));
                if ended == 2 {
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
