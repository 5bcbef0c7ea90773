fn main() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto"));
    let mut files = Vec::new();
    for dir in ["mesos", "internal", "image"] {
        for e in std::fs::read_dir(root.join(dir)).unwrap() {
            files.push(format!("{dir}/{}", e.unwrap().file_name().to_str().unwrap()));
        }
    }
    files.sort();
    let set = protox::compile(&files, [root]).unwrap();
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    let desc = out.join("universe.desc");
    use protox::prost::Message;
    std::fs::write(&desc, set.encode_to_vec()).unwrap();
    buffa_build::Config::new()
        .descriptor_set(&desc)
        .files(&files)
        .generate_views(false)
        .generate_json(false)
        .generate_text(false)
        .box_type(buffa_build::PointerRepr::Box)
        .map_type(buffa_build::MapRepr::BTreeMap)
        .file_per_package(true)
        .include_file("universe.rs")
        .compile()
        .unwrap();
    println!("cargo:rerun-if-changed={}", root.display());
}
