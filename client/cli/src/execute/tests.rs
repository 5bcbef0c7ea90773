//! Flags and offers of `mesos-execute`.

use super::request::{Request, Work, request};
use super::{flags, lines, placed};
use tepui_sdk::mesos::{AgentID, Offer, TaskID, TaskState, TaskStatus, container_info, task_status};

fn parse(args: &[&str]) -> Result<Request, String> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let read = |_: &str| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    let values = tepui_flags::parse(flags::TABLES, &args, &[], "MESOS_", &read).map_err(|error| error.to_string())?;
    request(&values, "me")
}

fn offer(resources: &str) -> Offer {
    Offer {
        agent_id: AgentID { value: "S".into(), ..AgentID::default() }.into(),
        resources: tepui_resources::Resources::parse(resources, "*").unwrap().to_proto(),
        ..Offer::default()
    }
}

#[test]
fn there_are_29_flags() {
    assert_eq!(flags::FLAGS.len(), 29);
}

#[test]
fn a_command_becomes_a_task() {
    let request = parse(&["--master=m:5050", "--name=n", "--command=echo", r#"--env={"A":"b"}"#]).unwrap();
    assert_eq!((request.framework.user.as_str(), request.framework.role.as_deref()), ("me", Some("*")));
    let Work::Task(task) = &request.work else { panic!("no task") };
    assert_eq!((task.task_id.value.as_str(), task.command.value.as_deref()), ("n", Some("echo")));
    assert_eq!(task.command.environment.variables[0].name, "A");
    assert!(!task.container.is_set());
    assert!(placed(&request.work, &offer("cpus:0.5;mem:128")).is_none());
    let Some(Work::Task(task)) = placed(&request.work, &offer("cpus:2;mem:256")) else { panic!("it fits") };
    assert_eq!((task.agent_id.value.as_str(), task.resources.len()), ("S", 2));
}

#[test]
fn a_task_group_gets_the_default_executor() {
    let group = r#"--task_group={"tasks":[{"name":"a","task_id":{"value":"a"},"agent_id":{"value":""}}]}"#;
    let request = parse(&["--master=m:5050", group, "--networks=n1,n2"]).unwrap();
    let Work::Group(executor, tasks) = &request.work else { panic!("no group") };
    assert_eq!((executor.executor_id.value.as_str(), tasks.len()), ("default-executor", 1));
    assert_eq!(executor.container.network_infos.len(), 2);
}

#[test]
fn a_container_is_made_where_it_is_asked_for() {
    let base = ["--master=m:5050", "--name=n", "--command=c"];
    let rlimits = r#"--rlimits={"rlimits":[{"type":"RLMT_CPU","soft":"1","hard":"1"}]}"#;
    let request = parse(&[&base[..], &["--docker_image=busybox", rlimits]].concat()).unwrap();
    let container = &request.work.tasks()[0].container;
    assert_eq!(container.mesos.image.docker.name, "busybox");
    assert_eq!(container.rlimit_info.rlimits[0].soft, Some(1));
    let docker = parse(&[&base[..], &["--docker_image=busybox", "--containerizer=docker"]].concat()).unwrap();
    assert_eq!(docker.work.tasks()[0].container.r#type, container_info::Type::DOCKER);
}

#[test]
fn mistakes_are_named() {
    let base = ["--master=m:5050", "--name=n", "--command=c"];
    for (more, text) in [
        (&["--comand=c"][..], "did you mean --command?"),
        (&["--package=p"], "--package=p is not available"),
        (&["--task={}"], "can only be set when both"),
        (&["--content_type=xml"], "Invalid content type 'xml'"),
        (&["--framework_capabilities=FLYING"], "unknown capability 'FLYING'"),
        (&["--framework_capabilities=MULTI_ROLE"], "unsupported capability 'MULTI_ROLE'"),
        (&["--resources=cpus"], "Failed to parse resources 'cpus'"),
        (&["--containerizer=docker"], "requires docker image name"),
        (&["--env=[]"], "for flag 'env'"),
        (&["--kill_after=soon"], "kill_after"),
    ] {
        let error = parse(&[&base[..], more].concat()).unwrap_err();
        assert!(error.contains(text), "{more:?}: {error}");
    }
    assert_eq!(parse(&["--name=n", "--command=c"]).unwrap_err(), "Missing required option --master");
    assert_eq!(parse(&["--master=m", "--name=n"]).unwrap_err(), "Missing required option --command");
    assert_eq!(parse(&["--master=m"]).unwrap_err(), "Missing required option --name");
}

#[test]
fn an_update_is_told_in_the_lines_of_mesos() {
    let status = TaskStatus {
        task_id: TaskID { value: "t".into(), ..TaskID::default() }.into(),
        state: TaskState::TASK_FAILED,
        message: Some("Command exited with status 7".into()),
        source: Some(task_status::Source::SOURCE_EXECUTOR),
        ..TaskStatus::default()
    };
    assert_eq!(
        lines(&status),
        "Received status update TASK_FAILED for task 't'\n  message: 'Command exited with status 7'\n  \
         source: SOURCE_EXECUTOR\n"
    );
}
