import LinearAlgebra

/// All courses, and where those of one language and topic stand in the order from which watchers draw.
package struct SyntheticCatalogue: Sendable {
    package let courses: [SyntheticCourse]
    /// Course numbers sorted by (language, topic, number).
    let order: [Int]
    /// `order[cells[k]..<cells[k + 1]]` are the courses of language k / topics and topic k % topics.
    let cells: [Int]
    /// Ids, ready to write.
    let ids: [[UInt8]]

    package init(options: GeneratorOptions) {
        var courses = (0..<options.courses).map { SyntheticCourse.draw($0, options: options) }
        Self.rankByPopularity(&courses, seed: options.seed)
        Self.addAppeal(&courses, options)
        Self.nameAndChain(&courses)
        let topics = Taxonomy.topics.count
        var counts = [Int](repeating: 0, count: Taxonomy.languages.count * topics + 1)
        for course in courses { counts[course.language * topics + course.topic + 1] += 1 }
        for i in 1..<counts.count { counts[i] += counts[i - 1] }
        cells = counts
        var order = [Int](repeating: 0, count: courses.count)
        for (number, course) in courses.enumerated() {
            let cell = course.language * topics + course.topic
            order[counts[cell]] = number
            counts[cell] += 1
        }
        self.order = order
        let width = max(5, String(options.courses - 1).count)
        ids = courses.indices.map { number in
            let digits = String(number)
            return Array(("c" + String(repeating: "0", count: width - digits.count) + digits).utf8)
        }
        self.courses = courses
    }

    func cell(language: Int, topic: Int) -> Range<Int> {
        let cell = language * Taxonomy.topics.count + topic
        return cells[cell]..<cells[cell + 1]
    }

    func cells(language: Int) -> Range<Int> {
        let topics = Taxonomy.topics.count
        return cells[language * topics]..<cells[(language + 1) * topics]
    }

    /// Zipf–Mandelbrot: weight (1 + q) / (rank + q), q = 8, ranks 1, 2, … dealt at random. What is liked to be
    /// clicked is somewhat more popular.
    private static func rankByPopularity(_ courses: inout [SyntheticCourse], seed: UInt64) {
        var random = RandomKey(seed: seed, purpose: "generate.popularity").stream()
        let luck = courses.map { 0.8 * $0.clickIntercept + random.normal() }
        let ranked = courses.indices.sorted { (luck[$0], $1) > (luck[$1], $0) }
        for (rank, course) in ranked.enumerated() { courses[course].popularity = 9 / Double(rank + 9) }
    }

    /// What titles promise: more clicks, without a part in what is popular or how it is watched.
    private static func addAppeal(_ courses: inout [SyntheticCourse], _ options: GeneratorOptions) {
        let key = RandomKey(seed: options.seed, purpose: "generate.title-appeal")
        for number in courses.indices {
            var random = key.stream(number)
            courses[number].clickIntercept += random.normal(0, options.titleAppeal)
        }
    }

    /// Titles, and the sequence within a language and skill: by difficulty, then by publication.
    private static func nameAndChain(_ courses: inout [SyntheticCourse]) {
        let chained = courses.indices.sorted {
            let (a, b) = (courses[$0], courses[$1])
            return (a.language, a.topic, a.skill, a.level, a.published, $0)
                < (b.language, b.topic, b.skill, b.level, b.published, $1)
        }
        var previous: Int? = nil
        var ordinal = 0
        for number in chained {
            let course = courses[number]
            let before = previous.map { courses[$0] }
            let together = before.map {
                ($0.language, $0.topic, $0.skill) == (course.language, course.topic, course.skill)
            }
            ordinal = together == true && before?.level == course.level ? ordinal + 1 : 0
            if together == true { courses[previous!].next = number }
            courses[number].title = CourseTitle.make(
                language: course.language, skill: course.topic * Taxonomy.skillsPerTopic + course.skill,
                level: course.level, ordinal: ordinal)
            previous = number
        }
    }
}
