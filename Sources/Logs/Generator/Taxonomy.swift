/// The fixed world that every synthetic platform lives in: the values of its categorical columns, and which go
/// together. Rows are hand-written, so that people can check what a model should find.
package enum Taxonomy {
    package static let languages = ["en", "es", "de", "fr", "pt", "ja"]
    /// Shares of courses and of learners by language.
    static let courseLanguageShares = [0.44, 0.17, 0.13, 0.11, 0.09, 0.06]
    static let learnerLanguageShares = [0.42, 0.18, 0.13, 0.11, 0.10, 0.06]

    /// Countries by language, the most frequent first, with hours from UTC.
    static let countries: [[(code: String, offset: Int)]] = [
        [("US", -6), ("GB", 0), ("IN", 5), ("CA", -5), ("AU", 10)],
        [("ES", 1), ("MX", -6), ("AR", -3), ("CO", -5)],
        [("DE", 1), ("AT", 1), ("CH", 1)],
        [("FR", 1), ("BE", 1), ("CA", -5)],
        [("BR", -3), ("PT", 0)],
        [("JP", 9)],
    ]

    package static let categories = [
        "Business", "Sales & Marketing", "Technology", "Data", "Creative", "Personal Growth",
    ]

    /// Three topics per category, in its order.
    package static let topics = [
        "Leadership", "Project Management", "Finance",
        "Digital Marketing", "Sales", "Customer Service",
        "Programming", "Cloud", "Cybersecurity",
        "Data Analysis", "Machine Learning", "Databases",
        "Graphic Design", "Photography", "Video Production",
        "Communication", "Productivity", "Career",
    ]
    static let topicsPerCategory = 3
    package static func category(ofTopic topic: Int) -> Int { topic / topicsPerCategory }
    /// How many courses and interests a topic draws, before anything personal.
    static let topicShares: [Double] = [9, 6, 5, 6, 4, 3, 10, 6, 4, 7, 7, 4, 5, 4, 3, 7, 6, 5]

    static let skillsPerTopic = 8
    /// Eight skills per topic, in its order; a course teaches one of them mainly.
    package static let skills = skillTable.split(whereSeparator: { $0 == "|" || $0 == "\n" }).map(String.init)
    private static let skillTable = """
        Delegation|Coaching|Strategic Planning|Change Management|Team Building|Decision Making|Mentoring|Feedback
        Agile|Scrum|Risk Management|Scheduling|Stakeholder Management|Kanban|Budget Planning|PMP Exam Prep
        Accounting|Financial Modeling|Corporate Valuation|Bookkeeping|Taxes|Investing|Cash Flow|Auditing
        SEO|Content Marketing|Email Campaigns|Social Media|Web Analytics|Branding|Online Ads|Copywriting
        Negotiation|Lead Generation|CRM|Cold Calling|Account Management|Sales Forecasting|Closing|Pricing
        De-escalation|Help Desk|Customer Success|Call Centers|Live Chat|Service Metrics|Complaints|\
        Loyalty Programs
        Python|JavaScript|Java|C++|Swift|Rust|Go|TypeScript
        AWS|Azure|Google Cloud|Kubernetes|Docker|Terraform|Serverless|DevOps
        Network Security|Penetration Testing|Cryptography|Incident Response|Zero Trust|Malware Analysis|\
        Security Audits|Privacy Law
        Excel|Power BI|Tableau|Statistics|R|Data Cleaning|A/B Testing|Data Storytelling
        Deep Learning|Natural Language Processing|Computer Vision|Recommender Systems|Time Series|MLOps|\
        Generative AI|Reinforcement Learning
        SQL|PostgreSQL|MongoDB|Data Modeling|Data Warehouses|Oracle|Query Tuning|Spark
        Photoshop|Illustrator|InDesign|Typography|Logo Design|Color Theory|UX Design|Figma
        Portraits|Landscapes|Lightroom|Studio Lighting|Street Photography|Drone Photography|Macro|Photo Editing
        Premiere Pro|After Effects|Final Cut Pro|Screenwriting|Sound Design|Animation|Color Grading|\
        Live Streaming
        Public Speaking|Business Writing|Active Listening|Presentations|Storytelling|\
        Difficult Conversations|Body Language|Cross-Cultural Communication
        Time Management|Note Taking|Remote Work|Email Overload|Goal Setting|Habits|Focus|Meetings
        Job Interviews|Résumés|Networking|Personal Branding|Freelancing|Salary Talks|Career Change|LinkedIn
        """

    package static let segments = ["enterprise", "individual", "student", "job_seeker"]
    static let segmentShares = [0.45, 0.25, 0.18, 0.12]
    /// Pull of each category on each segment.
    static let segmentPull: [[Double]] = [
        [3, 2, 2, 2, 1, 2],
        [1, 1, 2, 2, 4, 2],
        [1, 1, 4, 4, 2, 1],
        [1, 2, 2, 2, 1, 5],
    ]

    package static let industries = [
        "Software", "Banking", "Healthcare", "Education", "Manufacturing", "Retail", "Media", "Consulting",
        "Government", "Energy",
    ]
    static let industryShares: [Double] = [20, 11, 11, 12, 10, 10, 8, 9, 5, 4]
    /// Pull of each category on each industry.
    static let industryPull: [[Double]] = [
        [1, 1, 8, 5, 2, 1],
        [6, 2, 2, 4, 0.5, 1],
        [3, 1, 1, 3, 0.5, 5],
        [2, 1, 2, 2, 3, 5],
        [5, 2, 3, 2, 1, 2],
        [3, 8, 1, 1, 2, 2],
        [1, 4, 1, 1, 9, 2],
        [6, 3, 2, 4, 1, 3],
        [4, 1, 3, 2, 0.5, 4],
        [4, 1, 4, 4, 0.5, 1],
    ]

    package static let seniorities = ["entry", "mid", "senior", "executive"]
    static let seniorityShares = [0.32, 0.36, 0.22, 0.10]

    package static let difficulties = ["beginner", "intermediate", "advanced"]
    static let difficultyShares = [0.42, 0.36, 0.22]

    package static let channels = ["home", "email", "search"]
    static let watchChannels = ["web", "mobile", "tv", ""]
    static let watchChannelShares = [0.55, 0.33, 0.08, 0.04]

    package static let kinds = ["impression", "click", "bookmark", "dismiss"]
}
