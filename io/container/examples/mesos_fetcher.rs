//! The program `mesos-fetcher` by itself, as the tests of the containerizer start it.

fn main() -> std::process::ExitCode {
    tepui_container::fetcher::program::run()
}
