//! Emulated agents and frameworks against a master in this process.

use anyhow::{Context, Result};
use std::time::Duration;
use tepui_bench::emulator::{AgentSpec, Emulator, Framework, Refused, Subscription, task};
use tepui_cli::cluster::{Embedded, Options};
use tepui_proto::ContentType;
use tepui_proto::mesos::scheduler::Event;
use tepui_proto::mesos::{Offer, TaskState, TaskStatus};
use tepui_sdk::{call, messages};

/// Far more than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

async fn cluster() -> Result<(Embedded, Emulator)> {
    let cluster = Embedded::start_with(Options { agents: 0, ..Options::default() }).await?;
    let emulator = Emulator::new(cluster.master.parse()?);
    Ok((cluster, emulator))
}

async fn subscribe(emulator: &Emulator) -> Result<Framework> {
    Subscription::new(messages::framework("emulated", "root")).subscribe(emulator.master()).await
}

async fn offers(framework: &mut Framework) -> Result<Vec<Offer>> {
    framework.offers(PATIENCE).await?.context("no offers")
}

async fn update(framework: &mut Framework) -> Result<TaskStatus> {
    framework.update(PATIENCE).await?.context("no update")
}

#[tokio::test]
async fn tasks_of_many_agents_on_one_port_run_and_finish() -> Result<()> {
    let (cluster, emulator) = cluster().await?;
    let states = [TaskState::TASK_RUNNING, TaskState::TASK_FINISHED];
    let mut agents = Vec::new();
    for number in 0..5 {
        let spec = AgentSpec::new(&format!("a{number}"), "cpus:4;mem:64")?.task_states(&states);
        let agent = emulator.agent(spec).await?;
        agent.register().await?;
        agents.push(agent);
    }
    assert_eq!(cluster.registered().await, 5);
    let mut framework = subscribe(&emulator).await?;
    let mut launched = 0;
    while launched < 20 {
        for offer in offers(&mut framework).await? {
            let mut pool = tepui_sdk::resources::offered(&offer);
            let wanted = tepui_sdk::resources::scalars(&[("cpus", 1.0), ("mem", 16.0)]);
            let mut tasks = Vec::new();
            while let Some(taken) = tepui_sdk::resources::take(&mut pool, &wanted) {
                let mut task = messages::task(format!("t{launched}"), messages::shell("true"), taken.to_proto());
                task.agent_id = offer.agent_id.clone();
                tasks.push(task);
                launched += 1;
            }
            framework.accept(&[offer], vec![call::launch(tasks)], None).await?;
        }
    }
    let mut seen = Vec::new();
    while seen.len() < 40 {
        let status = update(&mut framework).await?;
        framework.acknowledge(&status);
        seen.push((status.task_id.value.clone(), status.state));
    }
    for number in 0..20 {
        let of_task: Vec<TaskState> =
            seen.iter().filter(|(id, _)| *id == format!("t{number}")).map(|(_, state)| *state).collect();
        assert_eq!(of_task, states, "t{number}");
    }
    assert_eq!(framework.refused(), 0);
    framework.teardown().await?;
    cluster.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_agent_does_as_it_is_told() -> Result<()> {
    let (cluster, emulator) = cluster().await?;
    let spec = AgentSpec::new("alone", "cpus:2;mem:64;cpus(r):1")?.attributes("rack:a")?;
    let agent = emulator.agent_with_port(spec).await?;
    let id = agent.register().await?;
    assert_eq!(agent.register().await?, id, "it is known by its id");

    let mut subscription = Subscription::new(messages::framework("emulated", "root"));
    subscription.content = ContentType::Json;
    let mut framework = subscription.subscribe(emulator.master()).await?;
    let offered = offers(&mut framework).await?;
    let offer = &offered[0];
    assert_eq!((&offer.hostname[..], &offer.attributes[0].name[..]), ("alone", "rack"));

    let launch = call::launch(vec![task("t", offer, "cpus:1;mem:32")?]);
    framework.accept(&offered, vec![launch], None).await?;
    let running = update(&mut framework).await?;
    assert_eq!(running.state, TaskState::TASK_RUNNING);
    agent.retry_updates();
    assert_eq!(update(&mut framework).await?.uuid, running.uuid, "the same update again");
    framework.acknowledge(&running);
    agent.report("t", TaskState::TASK_FAILED);
    let failed = update(&mut framework).await?;
    assert_eq!(failed.state, TaskState::TASK_FAILED);

    agent.unregister();
    let gone = |event: Event| event.failure.into_option()?.agent_id.into_option();
    assert_eq!(framework.find(PATIENCE, gone).await?, Some(id));
    cluster.stop().await;
    Ok(())
}

#[tokio::test]
async fn offers_are_declined_suppressed_and_revived() -> Result<()> {
    let (cluster, emulator) = cluster().await?;
    let agent = emulator.agent(AgentSpec::new("a", "cpus:2;mem:64")?).await?;
    agent.register().await?;
    let mut framework = subscribe(&emulator).await?;
    let first = offers(&mut framework).await?;
    framework.suppress(&[]).await?;
    framework.decline(&first, Some(0.0)).await?;
    framework.revive(&[]).await?;
    let second = offers(&mut framework).await?;
    assert_eq!(second[0].resources, first[0].resources);
    assert_ne!(second[0].id, first[0].id);
    assert!(task("t", &second[0], "cpus:3").is_err(), "so much is not offered");

    // A call that is refused tells why.
    framework.teardown().await?;
    let refused = framework.revive(&[]).await.unwrap_err();
    assert!(matches!(refused, Refused { status: 400 | 0, .. }), "{refused}");
    cluster.stop().await;
    Ok(())
}
