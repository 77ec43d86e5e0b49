your_name = 'Dvořák'
answer_q_1_1 = 'Na�ve, but it trains.'
answer_q_1_2 = ' '.join(word for word in ('put', 'together'))
answer_q_1_3 = 'Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. Dropout helped. '
answer_q_2_1 = '''   '''
