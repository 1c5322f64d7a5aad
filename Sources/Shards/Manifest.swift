import FoundationEssentials

/// `manifest.json` of a stage folder, written last: the stage is done when it is there (docs/shards.md).
/// Nothing in it depends on clock, host, paths, run name or threads.
package struct Manifest: Codable, Sendable, Equatable {
    package struct File: Codable, Sendable, Equatable {
        /// Rows of a shard; absent for other files.
        package var rows: Int?
        /// Size on disk.
        package var bytes: Int
        /// SHA-256 of a shard's uncompressed bytes, or of another file's bytes as they are: the identity.
        package var sha256: String
        /// CRC-32 of a shard's bytes on disk: deflate has bits whose flip changes nothing once inflated, and no
        /// damage may pass silently.
        package var crc32: UInt32?

        package init(rows: Int?, bytes: Int, sha256: String, crc32: UInt32? = nil) {
            (self.rows, self.bytes, self.sha256, self.crc32) = (rows, bytes, sha256, crc32)
        }
    }

    /// A small value that later stages or people need.
    package enum Fact: Codable, Sendable, Equatable {
        case integer(Int64)
        case number(Double)
        case text(String)
        case integers([Int64])
        case numbers([Double])

        package init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let integer = try? value.decode(Int64.self) {
                self = .integer(integer)
            } else if let number = try? value.decode(Double.self) {
                self = .number(number)
            } else if let text = try? value.decode(String.self) {
                self = .text(text)
            } else if let integers = try? value.decode([Int64].self) {
                self = .integers(integers)
            } else {
                self = .numbers(try value.decode([Double].self))
            }
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .integer(let value): try container.encode(value)
            case .number(let value): try container.encode(value)
            case .text(let value): try container.encode(value)
            case .integers(let value): try container.encode(value)
            case .numbers(let value): try container.encode(value)
            }
        }
    }

    package var stage: String
    package var release: String
    /// SHA-256 of the stage's slice of the configuration.
    package var config: String
    /// T, seconds since 1970 UTC.
    package var asOf: Int64
    /// The newest event that this stage's outputs depend on, directly or through its inputs.
    package var newestEvent: Int64
    /// SHA-256 of the course dictionary; empty before there is one.
    package var catalogue: String
    /// Input stage (or input file) → digest of its manifest (or content): which generation was read.
    package var inputs: [String: String]
    package var outputs: [String: File]
    /// Read, kept, dropped and why.
    package var counts: [String: Int]
    package var facts: [String: Fact]

    enum CodingKeys: String, CodingKey {
        case stage, release, config, catalogue, inputs, outputs, counts, facts
        case asOf = "as_of"
        case newestEvent = "newest_event"
    }

    package init(stage: String, release: String, config: String, asOf: Int64, newestEvent: Int64) {
        (self.stage, self.release, self.config) = (stage, release, config)
        (self.asOf, self.newestEvent) = (asOf, newestEvent)
        (catalogue, inputs, outputs, counts, facts) = ("", [:], [:], [:], [:])
    }

    package static let fileName = "manifest.json"

    /// Subfolders with a manifest of their own, whose files this one does not list.
    package var nested: [String] {
        get { if case .text(let names)? = facts["nested"] { names.split(separator: ",").map(String.init) } else { [] } }
        set { facts["nested"] = newValue.isEmpty ? nil : .text(newValue.sorted().joined(separator: ",")) }
    }

    package func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return SelfCheck.sealed([UInt8](try! encoder.encode(self)) + [0x0a])
    }

    /// - Throws: `.badData` if the bytes are not a manifest as it was written.
    package init(_ bytes: [UInt8], path: String) throws {
        guard SelfCheck.holds(bytes), let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(bytes)) else {
            throw LecternError.data("\(path): damaged: its content does not match its check; make all rebuilds it")
        }
        self = manifest
    }

    /// Reads a stage's manifest and the digest by which later stages name this generation of it.
    package static func read(stageFolder: String) throws -> (manifest: Manifest, digest: String) {
        let path = stageFolder + "/" + fileName
        let bytes = try FileSystem.read(path)
        return (try Manifest(bytes, path: path), Digest.sha256(bytes))
    }
}
