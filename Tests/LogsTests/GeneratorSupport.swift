import Foundation
import LinearAlgebra
import Logs
import Testing

/// A folder of its own for a test, removed at the end.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = NSTemporaryDirectory() + "lectern-generator-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// The text of a generated file, gzipped ones through the system's `gzip`: a reader that is not ours.
func generatedText(_ path: String) throws -> String {
    let bytes: Data
    if path.hasSuffix(".gz") {
        let gzip = Process()
        let output = Pipe()
        gzip.executableURL = URL(fileURLWithPath: "/bin/gzip")
        gzip.arguments = ["-dc", path]
        gzip.standardOutput = output
        try gzip.run()
        bytes = output.fileHandleForReading.readDataToEndOfFile()
        gzip.waitUntilExit()
        try #require(gzip.terminationStatus == 0, "gzip refuses \(path)")
    } else {
        bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    }
    return try #require(String(data: bytes, encoding: .utf8), "\(path) is not UTF-8")
}

/// Records of a CSV text after RFC 4180, as dictionaries by the header's names.
func records(_ text: String) throws -> [[String: String]] {
    var rows: [[String]] = [[]]
    var field: [UInt8] = []
    var quoted = false
    let bytes = Array(text.utf8)
    var i = 0
    while i < bytes.count {
        let byte = bytes[i]
        if quoted {
            if byte == 0x22 && i + 1 < bytes.count && bytes[i + 1] == 0x22 {
                field.append(byte)
                i += 1
            } else if byte == 0x22 {
                quoted = false
            } else {
                field.append(byte)
            }
        } else if byte == 0x22 {
            quoted = true
        } else if byte == 0x2C || byte == 0x0A {
            rows[rows.count - 1].append(String(decoding: field, as: UTF8.self))
            field.removeAll(keepingCapacity: true)
            if byte == 0x0A { rows.append([]) }
        } else {
            field.append(byte)
        }
        i += 1
    }
    try #require(rows.removeLast().isEmpty && field.isEmpty, "the last line does not end")
    let header = rows.removeFirst()
    return try rows.map { row in
        try #require(row.count == header.count, "\(row.count) fields, expected \(header.count)")
        return Dictionary(uniqueKeysWithValues: zip(header, row))
    }
}

/// A generated platform, read back through its files alone.
struct GeneratedPlatform {
    let learners: [String: [String: String]]
    let courses: [String: [String: String]]
    let learnerTruth: [String: [String: String]]
    let courseTruth: [String: [String: String]]
    let watches: [[String: String]]
    let engagements: [[String: String]]
    let model: [String: Any]

    init(_ folder: String) throws {
        func table(_ name: String, by key: String) throws -> [String: [String: String]] {
            Dictionary(uniqueKeysWithValues: try records(generatedText(folder + "/" + name)).map { ($0[key]!, $0) })
        }
        func events(_ prefix: String) throws -> [[String: String]] {
            try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix(prefix) }.sorted()
                .flatMap { try records(generatedText(folder + "/" + $0)) }
        }
        learners = try table("learners.csv.gz", by: "learner_id")
        courses = try table("courses.csv", by: "course_id")
        learnerTruth = try table("truth/learners.csv.gz", by: "learner_id")
        courseTruth = try table("truth/courses.csv", by: "course_id")
        watches = try events("watches-")
        engagements = try events("engagements-")
        let json = try JSONSerialization.jsonObject(with: Data(generatedText(folder + "/truth/model.json").utf8))
        model = try #require(json as? [String: Any])
    }

    /// Twelve hundred learners for half a year, made once for all tests that look at its structure.
    static let small = generated { _ in }

    /// The same with titles and segments that matter, and clicks that are not watched at once.
    static let unusual = generated { options in
        (options.titleAppeal, options.segmentTaste, options.watchedClicks) = (1, 1, 0)
    }

    private static func generated(_ change: (inout GeneratorOptions) -> Void) -> Result<GeneratedPlatform, any Error> {
        Result {
            try withTemporaryFolder { folder in
                var options = GeneratorOptions()
                (options.learners, options.courses, options.days, options.files) = (1_200, 400, 180, 2)
                change(&options)
                _ = try LogGenerator(options: options, workers: Workers(count: 2)).write(to: folder + "/logs")
                return try GeneratedPlatform(folder + "/logs")
            }
        }
    }
}

// Read once, never written: safe to share between tests.
extension GeneratedPlatform: @unchecked Sendable {}

/// Seconds since 1970 of `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`, by Foundation.
func seconds(_ text: String) throws -> Int {
    let full = text.count == 10 ? text + "T00:00:00Z" : text
    return Int(try Date(full, strategy: .iso8601).timeIntervalSince1970)
}
