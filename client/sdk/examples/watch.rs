//! An operator's view: what the cluster has, then (where the master offers it) each change.
//!
//! `cargo run -p tepui-sdk --example watch -- 127.0.0.1:5050`

use tepui_sdk::Operator;
use tepui_sdk::mesos::master::event::Type;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let master = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5050".to_owned());
    let operator = Operator::new(&master)?;
    println!("master {} of version {}", operator.address().await, operator.version().await?.version);
    for agent in operator.agents().await?.agents {
        println!("agent {} on {}", agent.agent_info.id.value, agent.agent_info.hostname);
    }
    for framework in operator.frameworks().await?.frameworks {
        println!("framework {} ({})", framework.framework_info.id.value, framework.framework_info.name);
    }
    for task in operator.tasks().await?.tasks {
        println!("task {} is {:?}", task.task_id.value, task.state);
    }
    let mut watch = operator.watch().await?;
    while let Some(event) = watch.next().await? {
        match event.r#type {
            Some(Type::TASK_ADDED) => println!("task {} added", event.task_added.task.task_id.value),
            Some(Type::TASK_UPDATED) => {
                let update = &event.task_updated;
                println!("task {} is {:?}", update.status.task_id.value, update.state);
            }
            Some(Type::AGENT_ADDED) => {
                println!("agent {} added", event.agent_added.agent.agent_info.id.value);
            }
            Some(Type::AGENT_REMOVED) => println!("agent {} removed", event.agent_removed.agent_id.value),
            Some(Type::SUBSCRIBED | Type::HEARTBEAT) | None => {}
            Some(other) => println!("{other:?}"),
        }
    }
    Ok(())
}
