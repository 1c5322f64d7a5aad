import Foundation

/// Where an earlier run lies that another one names.
package enum EarlierRun {
    /// A run under the same OUT.
    package static func beside(_ run: String, named name: String) -> String {
        URL(fileURLWithPath: run).standardizedFileURL.deletingLastPathComponent().path + "/" + name
    }

    /// A run by its path, or by its name if that has no `/`.
    package static func at(_ place: String, for run: String) -> String {
        place.contains("/") ? place : beside(run, named: place)
    }
}
