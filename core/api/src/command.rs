//! A command as the legacy endpoints of all daemons show it.

use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::CommandInfo;

/// The object of a command: `arguments` are called `argv`, and of what is fetched only two fields show.
/// Source: Mesos `src/common/http.cpp`.
pub fn write_command(w: &mut Writer, command: &CommandInfo) {
    w.object(|w| {
        if let Some(shell) = command.shell {
            w.field_bool("shell", shell);
        }
        if let Some(value) = &command.value {
            w.field_string("value", value);
        }
        w.field_array("argv", &command.arguments, |w, argument| w.string(argument));
        if let Some(environment) = command.environment.as_option() {
            w.field_message("environment", environment, Names::V0);
        }
        w.field_array("uris", &command.uris, |w, uri| {
            w.object(|w| {
                w.field_string("value", &uri.value);
                w.field_bool("executable", uri.executable.unwrap_or(false));
            });
        });
    });
}
