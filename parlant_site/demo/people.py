"""Names, places and languages of Lanternstay's customers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """A country with its language, currency sign and names to draw from."""

    country: str
    language: str
    weight: int
    first: tuple[str, ...]
    last: tuple[str, ...]
    stays: tuple[str, ...]


def _region(country: str, language: str, weight: int, first: str, last: str, stays: str) -> Region:
    return Region(country, language, weight, tuple(first.split()), tuple(last.split()), tuple(stays.split("|")))


REGIONS = (
    _region(
        "GB", "en", 16,
        "Amelia Oliver Isla Harry Freya George Poppy Arthur Ivy Theo Maisie Rowan Edith Callum Nia Euan Priya Tomos",
        "Whitcombe Ashdown Penrose Okafor Trelawney Marsh Kapoor Fairbairn Holloway Sewell Dunmore Birch Llewellyn",
        "The Salt House|Fern Cottage|Anchor Inn|Rookery Hall|Harbour Rooms|The Old Bakehouse|Thistle Lodge|Millrace",
    ),
    _region(
        "US", "en", 18,
        "Emma Liam Harper Mateo Ava Jackson Zoe Caleb Naomi Wyatt Delilah Marcus Ruth Elias June Dominic Savannah Owen",
        "Calloway Whitaker Ramirez Nguyen Brooks Delgado Hendricks Lindholm Pruitt Okoye Vance Castellano Mercer Boone",
        "Juniper Lodge|Blue Heron Inn|Cedar & Pine|Mesa House|The Wayfarer|Bluff Cabins|Magnolia B&B|Tin Roof Motel",
    ),
    _region(
        "DE", "de", 12,
        "Anna Lukas Mia Jonas Lea Felix Johanna Maximilian Greta Jürgen Käthe Sönke Emilia Moritz Ilse Björn",
        "Schäfer Hofmann Brandt Lindner Kröger Winkler Özdemir Baumann Reuter Thiele Vogt Grünwald Petersen Weiß",
        "Gasthof Zur Linde|Pension Waldblick|Haus am Deich|Hotel Alte Post|Landhaus Krüger|Seehof|Rosengarten",
    ),
    _region(
        "FR", "fr", 10,
        "Camille Louis Chloé Hugo Manon Étienne Léa Gaël Inès Théo Maëlle Baptiste Agathe Rémi Solène Noé",
        "Lefèvre Moreau Garnier Dubois Benali Rousseau Girard Le_Goff Marchand Perrin Colin Bertrand Chevalier Diallo",
        "Le Clos des Vignes|Maison du Port|Hôtel des Arènes|Le Moulin Bleu|La Bastide|Chez Odette|Villa Mimosa",
    ),
    _region(
        "ES", "es", 8,
        "Lucía Hugo Martina Álvaro Carmen Íñigo Sofía Andrés Noa Joaquín Valeria Iker Jimena Ramón Nuria Óscar",
        "García Muñoz Ibáñez Serrano Peña Castaño Vidal Ortega Núñez Salgado Bravo Echeverría Luna Cabrera",
        "Casa del Olivo|Hostal Mirador|Posada La Fuente|Finca Azahar|Hotel Santa Cruz|Cortijo Blanco|Can Roca",
    ),
    _region(
        "IT", "it", 7,
        "Giulia Leonardo Sofia Matteo Chiara Lorenzo Alice Davide Marta Nicolò Elena Tommaso Bianca Paolo",
        "Ricci Ferraro Conti D'Angelo Gallo Marchetti Bianchi Rinaldi Fontana Lombardi Caruso Grassi Villa Testa",
        "Locanda del Borgo|Villa Gelsomino|Agriturismo Le Querce|Albergo Stella|Casa Limone|Il Casale|Palazzo Neri",
    ),
    _region(
        "NL", "nl", 5,
        "Sanne Daan Fleur Bram Lotte Sem Femke Jasper Noor Thijs Roos Wouter Mila Ruben",
        "de_Vries Bakker van_Dijk Jansen Smit Mulder de_Boer van_den_Berg Postma Hoekstra Kuipers Visser Bos",
        "Hotel De Gracht|De Oude Pastorie|Herberg Het Veer|Boutique Nul20|Duinzicht|Stadslogement Zes",
    ),
    _region(
        "SE", "sv", 4,
        "Elsa Lucas Alva Nils Ebba Axel Saga Oskar Tuva Björn Märta Åke Linnéa Gustav",
        "Lindqvist Bergström Öberg Sjögren Nyström Hedlund Åkesson Sandberg Lund Ekman Norling Wahlström",
        "Fjällstugan|Pensionat Havet|Hotell Norrsken|Gården|Skärgårdshotellet|Villa Björk",
    ),
    _region(
        "PT", "pt", 4,
        "Leonor João Matilde Tomás Beatriz Gonçalo Inês Duarte Mafalda Simão Francisca Vasco",
        "Silva Carvalho Teixeira Moreira Araújo Magalhães Fonseca Pinto Brandão Guimarães Lobo Vaz",
        "Casa da Ribeira|Quinta do Vale|Pensão Central|Solar das Flores|Hostel Maré|Monte Alto",
    ),
    _region(
        "JP", "ja", 5,
        "美咲 翔太 さくら 健 陽菜 大輔 結衣 直樹 葵 拓也 真由美 亮",
        "佐藤 鈴木 高橋 田中 渡辺 伊藤 山本 中村 小林 加藤 吉田 松本",
        "旅館 山の音|ゲストハウス 灯|ホテル 海風|民宿 たけのこ|町家 紬",
    ),
    _region(
        "AE", "ar", 3,
        "ليلى يوسف مريم عمر نور خالد سلمى حسن هند طارق رنا فيصل",
        "الحداد المنصوري النجار الشامي القاسمي الزهراني حمدان العلي صباغ منصور",
        "فندق الواحة|نزل النخيل|بيت البحر|دار الياسمين|فندق المنارة",
    ),
    _region(
        "IL", "he", 2,
        "נועה איתן תמר יונתן מאיה אורי שירה דניאל יעל עומר",
        "כהן לוי מזרחי פרץ ביטון אברהם פרידמן שפירא ברק גולן",
        "מלון הגפן|צימר בגליל|בית הים|אכסניית הכרמל",
    ),
    _region(
        "TR", "tr", 3,
        "Zeynep Yusuf Elif Emir Defne Kerem Ayşe Çağlar İrem Ömer Gül Şahin",
        "Yılmaz Kaya Demir Çelik Şahin Öztürk Aydın Arslan Doğan Güneş",
        "Taş Konak|Deniz Pansiyon|Zeytin Evi|Otel Çınar|Kapadokya Mağara",
    ),
    _region(
        "IN", "en", 5,
        "Ananya Vivaan Diya Kabir Meera Arjun Kavya Rohan Ishita Farhan Lakshmi Dev",
        "Sharma Iyer Reddy Menon Banerjee Qureshi Patel Nair Chatterjee Gill Joshi D'Souza",
        "Lotus Haveli|Monsoon House|Backwater Homestay|The Banyan|Hotel Saffron|Hill Terrace",
    ),
    _region(
        "BR", "pt", 4,
        "Helena Miguel Laura Bernardo Manuela Caio Luiza Thiago Cecília Rafael Antônia Davi",
        "Oliveira Souza Barbosa Rocha Mendes Azevedo Cardoso Nogueira Batista Farias",
        "Pousada do Sol|Vila Maré|Casa Amarela|Recanto Verde|Hotel Atlântico",
    ),
)  # fmt: skip
OPERATORS = ("Mara Lindqvist", "Tunde Bakare", "Inès Perrin", "Jo Whitcombe", "Rafael Souza")
