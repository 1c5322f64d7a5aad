// Proves that every source file imports only what its floor allows. Expected: the floors of docs/architecture.md,
// written down here by hand; found: the import lines of Sources/.

import Foundation
import Testing

private let floors: [[String]] = [
    ["COpenBLAS", "CLAPACKE", "CZlib", "CLibdeflate", "CSQLite", "COpenMPI", "CKernels"],
    ["CMPI"],
    ["Ranks"],
    ["DenseAlgebra", "LinearAlgebra", "Shards"],
    ["Platform", "Metrics"],
    ["ShardKinds", "ConfigText"],
    ["Logs", "CoWatch", "NeuralCF", "GLMix", "Baselines", "Ranking", "Serving", "CourseMap", "Reporting"],
    ["StoredModels", "ServingSQLite", "CommandKit"],
    ["StageKit"],
]
/// Floor 2's algorithms are pure mathematics: no files, clock, environment, logging.
private let pure: Set = [
    "CoWatch", "NeuralCF", "GLMix", "Baselines", "Ranking", "CourseMap", "Reporting", "Metrics", "Platform",
    "LinearAlgebra", "DenseAlgebra",
]
private let impureModules: Set = [
    "Foundation", "FoundationEssentials", "Glibc", "Shards", "ShardKinds", "Logging", "StageKit", "CZlib",
    "CLibdeflate",
]

private let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Sources")

private func imports(of module: String) throws -> [(file: String, imported: String)] {
    let folder = sources.appendingPathComponent(module)
    let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)!
    return try files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }.flatMap { file in
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.first == "import", words.count >= 2 else { return nil }
            return (file.lastPathComponent, String(words.last!))
        }
    }
}

@Suite struct ArchitectureTests {
    @Test func modulesImportOnlyLowerFloors() throws {
        let floorOf = Dictionary(
            uniqueKeysWithValues: floors.enumerated().flatMap { floor, names in names.map { ($0, floor) } })
        let modules = try FileManager.default.contentsOfDirectory(atPath: sources.path)
        #expect(modules.count > 20)
        for module in modules {
            let own = floorOf[module] ?? floors.count
            for (file, imported) in try imports(of: module) {
                guard let other = floorOf[imported] else { continue }
                #expect(other < own, "\(module)/\(file) imports \(imported)")
            }
        }
    }

    /// A test folder without a target would never run, and nobody would miss it.
    @Test func everyTestFolderIsATarget() throws {
        let root = sources.deletingLastPathComponent()
        let manifest = try String(contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8)
        let folders = try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("Tests").path)
            .filter { $0.hasSuffix("Tests") }
        #expect(folders.count >= 15)
        for folder in folders {
            #expect(manifest.contains("tests(\"\(folder.dropLast(5))\""), "Tests/\(folder) is no target")
        }
    }

    @Test func algorithmsArePure() throws {
        for module in pure {
            for (file, imported) in try imports(of: module) {
                #expect(!impureModules.contains(imported), "\(module)/\(file) imports \(imported)")
            }
        }
    }
}
