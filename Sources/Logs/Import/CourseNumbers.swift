import Platform

/// Which courses exist before T, how they are numbered, and what is known of them.
struct CourseNumbers: Sendable {
    /// Courses before T, numbered 0..<count by id.
    let catalogue: Catalogue
    /// Courses that exist only from T on; their numbers go on behind the others'.
    let after: Catalogue
    /// By code.
    let number: [UInt32]
    /// By number, seconds; NaN means unknown.
    let duration: [Double]
    /// Courses that are watched before their date of publication.
    let publishedEarly: Int

    private struct Candidate {
        var id: [UInt8]
        var code: Int
        var firstTime: Int64
        var row: CourseRow?
    }

    /// - Parameters:
    ///   - entries: ids and first events by code.
    ///   - rows: of the catalogue; nil if there is none.
    init(
        entries: [(bytes: [UInt8], firstTime: Int64)], rows: [CourseRow]?, schema: AttributeSchema, asOf: Int64
    ) {
        let valid = Self.newest(rows?.filter { $0.validFrom < asOf } ?? [])
        let any = Self.newest(rows ?? [])
        var before: [Candidate] = []
        var later: [Candidate] = []
        for (code, entry) in entries.enumerated() {
            var candidate = Candidate(id: entry.bytes, code: code, firstTime: entry.firstTime, row: valid[entry.bytes])
            if entry.firstTime < asOf || (candidate.row.map { $0.publishedAt < asOf } ?? false) {
                before.append(candidate)
            } else {
                candidate.row = any[entry.bytes]
                // Neither row nor event: named only by rows that were rejected.
                if candidate.row != nil || entry.firstTime < .max { later.append(candidate) }
            }
        }
        before.sort { $0.id.lexicographicallyPrecedes($1.id) }
        later.sort { $0.id.lexicographicallyPrecedes($1.id) }
        let values = AttributeValues(schema)
        for candidate in before { if let row = candidate.row { values.add(row.attributes) } }
        let dictionaries = values.dictionaries()
        let attributes = dictionaries.encode(before.map { $0.row?.attributes ?? [] })
        catalogue = Self.catalogue(before, attributes, dictionaries.dictionaries, asOf: asOf)
        after = Self.catalogue(later, AttributeTable(rows: later.count), [:], asOf: .max)
        var number = [UInt32](repeating: noCode, count: entries.count)
        for (i, candidate) in (before + later).enumerated() { number[candidate.code] = UInt32(i) }
        self.number = number
        duration = (before + later).map { $0.row?.duration ?? .nan }
        publishedEarly = before.count { $0.row.map(\.publishedAt) ?? .min > $0.firstTime }
    }

    /// Of several rows of one course the newest counts; of several from one moment the bytewise first.
    private static func newest(_ rows: [CourseRow]) -> [[UInt8]: CourseRow] {
        Dictionary(rows.map { ($0.id, $0) }) { a, b in
            if a.validFrom != b.validFrom { return a.validFrom > b.validFrom ? a : b }
            return b.precedes(a) ? b : a
        }
    }

    private static func catalogue(
        _ courses: [Candidate], _ attributes: AttributeTable, _ dictionaries: [String: ValueDictionary], asOf: Int64
    ) -> Catalogue {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        return Catalogue(
            ids: courses.map { text($0.id) },
            titles: courses.map { text($0.row.flatMap { $0.title.isEmpty ? nil : $0.title } ?? $0.id) },
            // Watched before its date of publication: published at its first event.
            publishedAt: courses.map { min($0.row?.publishedAt ?? .min, $0.firstTime) },
            // Nobody knew at T that it would be retired later.
            retiredAt: courses.map { course in
                guard let retired = course.row?.retiredAt, retired < asOf else { return .max }
                return retired
            },
            duration: courses.map { $0.row.flatMap { $0.duration.isNaN ? nil : Float($0.duration) } },
            attributes: attributes, dictionaries: dictionaries)
    }
}
