//! tepui-master
