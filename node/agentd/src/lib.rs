//! tepui-agentd
