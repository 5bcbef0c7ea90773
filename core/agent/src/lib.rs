//! tepui-agent
