/// The release, in `--version`, manifests and shard headers.
package enum Lectern {
    package static let release = "0.1.0"
}
